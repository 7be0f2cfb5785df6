// Pointer, wheel and keys.

const NEAR = 12; // pixels from the curtain within which it is grabbed
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };

/** Listen to the pointer over a panel. */
export function listen(panel, viewer) {
  const { canvas } = panel;
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => begin(event, panel, viewer));
  canvas.addEventListener("pointermove", (event) => hover(event, panel, viewer));
  canvas.addEventListener("pointerleave", () => viewer.point(null));
  canvas.addEventListener("dblclick", () => viewer.fit());
  canvas.addEventListener("wheel", (event) => wheel(event, panel, viewer), { passive: false });
}

function hover(event, panel, viewer) {
  const place = panel.voxelAt(viewer.state, event.offsetX, event.offsetY);
  viewer.point({ panel, axes: panel.spec.axes, place });
  canvasCursor(event, panel, viewer);
}

function canvasCursor(event, panel, viewer) {
  const cursors = { pan: "grab", window: "ns-resize", profile: "crosshair", cross: "crosshair" };
  panel.canvas.style.cursor = onCurtain(event, panel, viewer) ? "col-resize" : cursors[viewer.state.tool];
}

function onCurtain(event, panel, viewer) {
  return panel.spec.kind === "curtain" && Math.abs(event.offsetX - panel.splitAt(viewer.state)) < NEAR;
}

function begin(event, panel, viewer) {
  const tool = toolOf(event, panel, viewer);
  const start = { x: event.offsetX, y: event.offsetY, state: { ...viewer.state } };
  const drag = DRAGS[tool];
  viewer.root.focus({ preventScroll: true });
  panel.canvas.setPointerCapture(event.pointerId);
  drag(panel, viewer, start, event);
  const move = (next) => drag(panel, viewer, start, next);
  panel.canvas.addEventListener("pointermove", move);
  const end = () => panel.canvas.removeEventListener("pointermove", move);
  panel.canvas.addEventListener("pointerup", end, { once: true });
  panel.canvas.addEventListener("pointercancel", end, { once: true });
}

function toolOf(event, panel, viewer) {
  if (event.button === 2) return "window";
  if (event.button === 1) return "pan";
  return onCurtain(event, panel, viewer) ? "curtain" : viewer.state.tool;
}

const DRAGS = {
  curtain(panel, viewer, start, { offsetX }) {
    viewer.change({ split: Math.min(1, Math.max(0, offsetX / panel.width)) });
  },
  cross(panel, viewer, start, { offsetX, offsetY }) {
    viewer.cut(panel.spec.axes, panel.voxelAt(viewer.state, offsetX, offsetY));
  },
  pan(panel, viewer, start, { offsetX, offsetY }) {
    const place = panel.place(start.state);
    const centre = [...viewer.state.centre];
    panel.spec.axes.forEach((axis, i) => {
      const moved = i === 0 ? offsetY - start.y : offsetX - start.x;
      centre[axis] = start.state.centre[axis] - moved / place[i].scale;
    });
    viewer.change({ centre });
  },
  window(panel, viewer, start, { offsetX, offsetY }) {
    const [lo, hi] = start.state.windows[start.state.component];
    const width = (hi - lo) * Math.exp((offsetX - start.x) / 200);
    const level = (lo + hi) / 2 + ((offsetY - start.y) / 300) * (hi - lo);
    viewer.setWindow([level - width / 2, level + width / 2]);
  },
  profile(panel, viewer, start, { offsetX, offsetY }) {
    const { axes } = panel.spec;
    const from = panel.voxelAt(viewer.state, start.x, start.y);
    const to = panel.voxelAt(viewer.state, offsetX, offsetY);
    const long = Math.hypot(offsetX - start.x, offsetY - start.y) > 3;
    viewer.change({ profile: long ? { axes, from, to } : null });
  },
};

/** With Ctrl, a pinch, or a single plane the wheel zooms; else it steps, once the viewer is in use. */
function wheel(event, panel, viewer) {
  const axis = viewer.wheelAxis(panel);
  if (!event.ctrlKey && !viewer.inUse()) return;
  event.preventDefault();
  if (event.ctrlKey || axis === undefined) {
    const factor = Math.exp(-Math.max(-50, Math.min(50, event.deltaY)) / 180);
    viewer.zoomBy(factor, panel, event.offsetX, event.offsetY);
  } else viewer.moveTo(axis, viewer.state.index[axis] + Math.sign(event.deltaY));
}

/** Keys of the viewer that has the focus. */
export function pressed(event, viewer) {
  const typing = ["INPUT", "SELECT"].includes(event.target.tagName) && event.target.type !== "range";
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = actions(viewer)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

export const KEYS = [
  ["← →", "step along the marked axis"], ["↑ ↓", "mark another axis"],
  ["Home End", "first, last"], ["Page ↑ ↓", "ten steps"], ["Space", "play"],
  ["C", "next component"], ["M", "maximum projection"], ["O", "orthogonal planes"],
  ["E", "error: off, magnitude, signed"], ["K", "curtain"], ["[ ]", "move the curtain"],
  ["V W P X", "move, window, profile, crosshair"], ["A", "window by percentiles"],
  ["+ − 0", "zoom in, out, fit"], ["I", "smooth"], ["S", "save PNG"], ["F", "full screen"],
  ["right drag", "window and level"], ["middle drag", "move"], ["wheel", "step"],
  ["Ctrl + wheel", "zoom"],
];

function actions(viewer) {
  const { state } = viewer;
  const steps = Object.entries(STEPS).map(([key, step]) => [key, () => viewer.step(step)]);
  return {
    ...Object.fromEntries(steps),
    Home: () => viewer.step(-Infinity),
    End: () => viewer.step(Infinity),
    ArrowUp: () => viewer.activate(-1),
    ArrowDown: () => viewer.activate(1),
    " ": () => viewer.play(state.active),
    c: () => viewer.nextComponent(),
    m: () => viewer.projectMarked(),
    o: () => viewer.toggleLayout(),
    e: () => viewer.nextError(),
    k: () => viewer.toggleCurtain(),
    "[": () => viewer.change({ split: Math.max(0, state.split - 0.02) }),
    "]": () => viewer.change({ split: Math.min(1, state.split + 0.02) }),
    v: () => viewer.pick("pan"),
    w: () => viewer.pick("window"),
    p: () => viewer.pick("profile"),
    x: () => viewer.pick("cross"),
    a: () => viewer.autoWindow(),
    "+": () => viewer.zoomBy(1.25),
    "=": () => viewer.zoomBy(1.25),
    "-": () => viewer.zoomBy(1 / 1.25),
    0: () => viewer.fit(),
    i: () => viewer.change({ smooth: !state.smooth }),
    s: () => viewer.savePicture(),
    f: () => viewer.fullScreen(),
    "?": () => viewer.toggleHelp(),
  };
}

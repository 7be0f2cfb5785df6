// Sliders and buttons. Each shows the state by `sync(state)` and changes it by `change(patch)`.

import { choice, el, number, toggle } from "./dom.js";
import { axisColour } from "./panel.js";

/** Sliders of the axes that are not on the picture, each with its number, play and projection. */
export class Sliders {
  constructor(scene, viewer) {
    this.scene = scene;
    this.viewer = viewer;
    this.rows = scene.shape.map((n, axis) => (n > 1 ? this.row(axis) : null));
    this.root = el("div", { class: "rv-sliders" }, ...this.rows.filter(Boolean));
  }

  row(axis) {
    const { scene, viewer } = this;
    const name = scene.axes[axis];
    const range = el("input", {
      type: "range", min: 0, max: scene.shape[axis] - 1, step: 1, "aria-label": name,
      oninput: () => viewer.moveTo(axis, range.valueAsNumber),
    });
    const play = toggle("▶", `Play over ${name} (space)`, () => viewer.play(axis));
    const most = toggle("MAX", `Maximum projection along ${name} (M)`, () => viewer.project(axis));
    const value = el("output");
    const label = el("span", { class: "rv-axis", text: name });
    const row = el("div", { class: "rv-slider" }, label, play, range, value, most);
    return Object.assign(row, { range, play, most, value, label });
  }

  sync(state) {
    const axes = this.viewer.sliderAxes();
    const columns = this.root.clientWidth < 760 ? 1 : [2, 4].includes(axes.length) ? 2 : Math.min(3, axes.length);
    this.root.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
    this.root.hidden = axes.length === 0;
    this.rows.forEach((row, axis) => row && this.syncRow(row, axis, state, axes.includes(axis)));
  }

  syncRow(row, axis, state, there) {
    const { scene } = this;
    row.hidden = !there;
    row.range.value = state.index[axis];
    row.range.disabled = state.along.includes(axis);
    row.classList.toggle("rv-active", state.active === axis);
    row.value.textContent = state.along.includes(axis) ? "maximum" : placeText(scene, axis, state.index[axis]);
    row.play.sync(state.playing === axis);
    row.play.textContent = state.playing === axis ? "❚❚" : "▶";
    row.most.sync(state.along.includes(axis));
    const line = state.layout === "planes" && scene.space.includes(axis);
    row.label.style.color = line ? axisColour(scene, axis) : "";
  }
}

/** A place along an axis, in whole steps of the array as it was, and in its unit. */
export function placeText(scene, axis, index) {
  const place = Math.round(index) * scene.steps[axis];
  const unit = scene.units[axis];
  const total = scene.shape[axis] * scene.steps[axis];
  const physical = unit ? ` · ${(index * scene.spacing[axis]).toFixed(1)} ${unit}` : "";
  return `${place} / ${total - 1}${physical}`;
}

/** Choices above the pictures. */
export class Toolbar {
  constructor(scene, viewer) {
    const change = (patch) => viewer.change(patch);
    const items = [
      layouts(scene, viewer),
      scene.choices.length > 1 && scene.layers.some((layer) => !layer.component) ? component(scene, change) : null,
      planes(scene, viewer),
      scene.layers.length > 1 ? layer(scene, change) : null,
      scene.reference !== null && scene.layers.length > 1 ? errors(change) : null,
      scene.layers.length > 1 ? curtain(scene, viewer) : null,
      tools(viewer),
      scene.shape.length > 2 ? rate(change) : null,
      zoom(viewer),
    ];
    this.items = items.filter(Boolean);
    this.root = el("div", { class: "rv-toolbar" }, ...this.items);
  }

  sync(state) {
    for (const item of this.items) item.sync(state);
  }
}

function group(sync, ...children) {
  return Object.assign(el("div", { class: "rv-group" }, ...children.filter(Boolean)), { sync });
}

function layouts(scene, viewer) {
  if (!scene.space) return null;
  const one = toggle("Panels", "The layers side by side", () => viewer.change({ layout: "panels" }));
  const three = toggle("Planes", "Three orthogonal planes, linked by a crosshair (O)", () => {
    viewer.change({ layout: "planes", curtain: false, tool: "cross" });
  });
  return group(({ layout }) => {
    one.sync(layout === "panels");
    three.sync(layout === "planes");
  }, one, three);
}

function component(scene, change) {
  const options = scene.choices.map((name) => [name, name]);
  const node = choice("Show", "What is shown of the values (C)", options, (name) => change({ component: name }));
  return group((state) => node.sync(state.component), node);
}

function planes(scene, viewer) {
  const long = scene.shape.flatMap((n, axis) => (n > 1 || scene.shown.includes(axis) ? [axis] : []));
  const pairs = long.flatMap((a, i) => long.slice(i + 1).map((b) => [a, b]));
  if (pairs.length < 2) return null;
  const options = pairs.map(([a, b]) => [`${a},${b}`, `${scene.axes[a]} × ${scene.axes[b]}`]);
  const node = choice("Plane", "Axes of the picture, down × right", options, (pair) => {
    viewer.show(pair.split(",").map(Number));
  });
  return group((state) => {
    node.hidden = state.layout === "planes";
    node.sync(state.shown.join(","));
  }, node);
}

function layer(scene, change) {
  const options = scene.layers.map(({ title }, i) => [i, title]);
  const node = choice("Layer", "Which is shown in three planes", options, (i) => change({ layer: Number(i) }));
  return group((state) => {
    node.parentElement.hidden = state.layout !== "planes";
    node.sync(state.layer);
  }, node);
}

function errors(change) {
  const options = [["none", "off"], ["error", "|error|"], ["difference", "difference"]];
  const kind = choice("Error", "Against the reference (E)", options, (compare) => change({ compare }));
  const scale = number("×", "Factor on the errors", "any", (errorScale) => {
    if (errorScale > 0) change({ errorScale });
  });
  return group((state) => {
    kind.sync(state.compare);
    scale.sync(state.errorScale);
    scale.hidden = state.compare === "none";
  }, kind, scale);
}

function curtain(scene, viewer) {
  const options = scene.layers.map(({ title }, i) => [i, title]);
  const on = toggle("Curtain", "One over the other, with a line to drag (K)", () => viewer.toggleCurtain());
  const sides = ["left", "right"].map((side, i) => choice("", `On the ${side}`, options, (chosen) => {
    viewer.change({ sides: viewer.state.sides.map((old, j) => (i === j ? Number(chosen) : old)) });
  }));
  return group((state) => {
    on.sync(state.curtain);
    sides.forEach((node, i) => {
      node.hidden = !state.curtain;
      node.sync(state.sides[i]);
    });
  }, on, ...sides);
}

const TOOLS = [
  ["cross", "Crosshair", "Drag the crosshair through the volume (X)"],
  ["pan", "Move", "Drag the picture (V)"],
  ["window", "Window", "Drag: right for more contrast range, up for darker (W); or the right button"],
  ["profile", "Profile", "Drag a line to see the values along it (P)"],
];

function tools(viewer) {
  const nodes = TOOLS.map(([tool, text, title]) => toggle(text, title, () => viewer.pick(tool)));
  return group((state) => {
    nodes.forEach((node, i) => node.sync(state.tool === TOOLS[i][0]));
    nodes[0].hidden = state.layout !== "planes";
  }, ...nodes);
}

function rate(change) {
  const node = number("fps", "Pictures per second when playing", 1, (fps) => {
    if (fps > 0) change({ fps });
  });
  return group((state) => node.sync(state.fps), node);
}

function zoom(viewer) {
  const smooth = toggle("Smooth", "Interpolate between voxels (I)", () => {
    viewer.change({ smooth: !viewer.state.smooth });
  });
  const buttons = [
    toggle("−", "Zoom out (−)", () => viewer.zoomBy(1 / 1.4)),
    toggle("+", "Zoom in (+)", () => viewer.zoomBy(1.4)),
    toggle("Fit", "Whole picture (0)", () => viewer.fit()),
    toggle("PNG", "Save what is seen (S)", () => viewer.savePicture()),
    toggle("Full", "Full screen (F)", () => viewer.fullScreen()),
    toggle("?", "Keys (?)", () => viewer.toggleHelp()),
  ];
  return group((state) => smooth.sync(state.smooth), smooth, ...buttons);
}

// The viewer: what is shown (`state`), and all that can be done to it.

import { Sliders, Toolbar, placeText } from "./controls.js";
import { el } from "./dom.js";
import { KEYS, pressed } from "./gestures.js";
import { CURVES, drawCurves, profileOf, windowBetween } from "./plots.js";
import { Side } from "./side.js";
import { requestsOf, Stage } from "./stage.js";
import { packed } from "./values.js";

const PATIENCE = 2000; // ms, after which the page tells that it waits

/** Show a scene in an element; `planes(requests)` promises the planes that are asked for. */
export function mount(element, scene, planes) {
  const viewer = new Viewer(scene, planes);
  element.append(viewer.root);
  viewer.start();
  return viewer;
}

function firstState(scene) {
  const long = scene.shape.flatMap((n, axis) => (n > 1 && !scene.shown.includes(axis) ? [axis] : []));
  const last = scene.reference ?? scene.layers.length - 1;
  return {
    layout: scene.layout, shown: scene.shown, index: [...scene.index], component: scene.component,
    windows: { ...scene.windows }, percentiles: [...scene.percentiles],
    compare: scene.reference === null ? "none" : "error", errorScale: scene.error_scale,
    layer: 0, along: scene.projection ? depths(scene) : [], curtain: false, sides: [last === 0 ? scene.layers.length - 1 : 0, last], split: 0.5,
    zoom: 1, fit: 1, centre: scene.shape.map((n) => (n - 1) / 2), smooth: false,
    tool: scene.layout === "planes" ? "cross" : "pan", profile: null, pointer: null,
    active: scene.play ?? long[0], playing: null, fps: 10,
  };
}

/** Axes of depth: the normals of what is shown. */
function depths({ layout, space, shape, shown }) {
  if (layout === "planes") return [...space];
  return shape.flatMap((n, axis) => (n > 1 && !shown.includes(axis) ? [axis] : [])).slice(-1);
}

function tablesOf(scene) {
  const named = Object.entries(scene.tables).map(([name, text]) => [
    name, packed(Uint8Array.from(atob(text), (c) => c.charCodeAt(0))),
  ]);
  return { ...Object.fromEntries(named), difference: signed() };
}

/** Blue through black to orange: negative, none, positive. */
function signed() {
  const [blue, orange] = [[86, 180, 233], [240, 150, 30]];
  const colours = Array.from({ length: 256 }, (_, i) => {
    const t = (i - 127.5) / 127.5;
    return (t < 0 ? blue : orange).map((part) => Math.round(part * Math.abs(t)));
  });
  return packed(colours.flat());
}

class Viewer {
  constructor(scene, planes) {
    this.scene = scene;
    this.planes = planes;
    this.tables = tablesOf(scene);
    this.state = firstState(scene);
    this.stage = new Stage(scene, this);
    this.toolbar = new Toolbar(scene, this);
    this.sliders = new Sliders(scene, this);
    this.side = new Side(scene, this, this.tables);
    this.root = this.page();
  }

  page() {
    const notes = this.scene.notes.map((text) => el("p", { text: `⚠ ${text}` }));
    this.failure = el("p", { class: "rv-failure", role: "alert", hidden: "" });
    this.curves = el("canvas", { class: "rv-curves", hidden: "" });
    this.status = el("output", { class: "rv-status" });
    this.help = el("dl", { class: "rv-help", hidden: "" });
    for (const [key, text] of KEYS) this.help.append(el("dt", { text: key }), el("dd", { text }));
    const body = el("div", { class: "rv-body" }, this.stage.root, this.side.root);
    const root = el("div", {
      class: "rv-root", tabindex: "0", "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => pressed(event, this),
    }, this.toolbar.root, el("div", { class: "rv-notes" }, ...notes, this.failure), body, this.curves,
    this.sliders.root, this.status, this.help);
    return root;
  }

  start() {
    this.observer = new ResizeObserver(() => this.schedule());
    this.observer.observe(this.root);
    this.schedule();
  }

  stop() {
    this.observer.disconnect();
    clearTimeout(this.timer);
  }

  /** Change what is shown; it is drawn at the next frame. */
  change(patch) {
    Object.assign(this.state, patch);
    this.schedule();
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.frame();
      this.refresh();
    });
  }

  /** Everything that needs no new planes. */
  frame(planes) {
    const { state } = this;
    this.stage.build(state);
    this.toolbar.sync(state);
    this.sliders.sync(state);
    this.side.sync(state);
    this.curves.hidden = state.tool !== "profile";
    this.stage.arrange(state);
    this.stage.draw(state, this.tables, planes);
    this.drawProfile();
    this.status.textContent = this.statusText();
  }

  /** Ask for the planes that are missing; while they come, only the newest wish is kept. */
  async refresh() {
    this.stale = true;
    if (this.busy) return;
    this.busy = true;
    while (this.stale) {
      this.stale = false;
      await this.fetch();
    }
    this.busy = false;
  }

  async fetch() {
    const panels = this.stage.panels;
    const wanted = panels.map(({ spec }) => requestsOf(spec, this.state, this.scene));
    const keys = [...new Set(wanted.flat().map((request) => JSON.stringify(request)))];
    const late = setTimeout(() => this.tell("Waiting for the values …"), PATIENCE);
    try {
      const found = await this.planes(keys.map((key) => JSON.parse(key)));
      const byKey = new Map(keys.map((key, i) => [key, found[i]]));
      const planesOf = (requests) => requests.map((request) => byKey.get(JSON.stringify(request)));
      this.frame(new Map(panels.map((panel, i) => [panel, planesOf(wanted[i])])));
      this.tell("");
    } catch (error) {
      this.tell(`The values cannot be read: ${error.message ?? error}`);
    } finally {
      clearTimeout(late);
    }
    this.root.dataset.shown = JSON.stringify(this.state.index);
  }

  tell(text) {
    this.failure.textContent = text;
    this.failure.hidden = text === "";
  }

  statusText() {
    const { pointer, index, layout } = this.state;
    if (!pointer && layout !== "planes") return "";
    const axes = pointer ? pointer.axes : this.scene.space;
    const place = pointer ? pointer.place : axes.map((axis) => index[axis]);
    const inside = axes.every((axis, i) => place[i] > -0.5 && place[i] < this.scene.shape[axis] - 0.5);
    const text = (axis, i) => `${this.scene.axes[axis]} ${placeText(this.scene, axis, place[i])}`;
    return inside ? axes.map(text).join("     ") : "";
  }

  drawProfile() {
    const { profile, component, tool } = this.state;
    const { scene } = this;
    if (tool !== "profile") return;
    if (!profile) {
      drawCurves(this.curves, [], "");
      return;
    }
    const spacing = profile.axes.map((axis) => scene.spacing[axis]);
    const panels = this.stage.panels.filter(({ spec, planes }) => (
      planes && spec.kind !== "error" && String(spec.axes) === String(profile.axes)));
    this.curveData = panels.flatMap(({ spec, planes }) => planes.map((plane, i) => {
      const layer = (spec.layers ?? [spec.layer])[i];
      const points = profileOf(plane, profile, component, spacing, scene.peak);
      return { title: scene.layers[layer].title, colour: CURVES[layer % CURVES.length], points };
    }));
    if (this.curveData.length) drawCurves(this.curves, this.curveData, scene.units[profile.axes[1]] || "voxels");
  }

  // Places

  /** Axes that have a slider now. */
  sliderAxes() {
    const { layout, shown } = this.state;
    return this.scene.shape.flatMap((n, axis) => (n > 1 && (layout === "planes" || !shown.includes(axis)) ? [axis] : []));
  }

  moveTo(axis, place) {
    const index = [...this.state.index];
    index[axis] = Math.max(0, Math.min(this.scene.shape[axis] - 1, Math.round(place)));
    this.change({ index, active: axis });
  }

  /** Put the crosshair at a place of a plane. */
  cut(axes, place) {
    axes.forEach((axis, i) => this.moveTo(axis, place[i]));
  }

  step(by) {
    const { active, index } = this.state;
    if (active !== undefined) this.moveTo(active, index[active] + by);
  }

  /** Mark another of the sliders. */
  activate(by) {
    const axes = this.sliderAxes();
    const at = axes.indexOf(this.state.active);
    if (axes.length) this.change({ active: axes[(at + by + axes.length) % axes.length] });
  }

  /** Axis that the wheel steps along over a panel. */
  wheelAxis(panel) {
    const { layout, active } = this.state;
    if (layout === "planes") return this.scene.space.find((axis) => !panel.spec.axes.includes(axis));
    return this.sliderAxes().includes(active) ? active : this.sliderAxes()[0];
  }

  /** The pointer is over a place of a panel, or over none. A panel of one component marks it. */
  point(pointer) {
    const own = this.scene.layers[pointer?.panel.spec.layer]?.component;
    if (pointer || this.state.pointer) this.change(own ? { pointer, component: own } : { pointer });
  }

  inUse() {
    return this.isFull() || this.root.contains(document.activeElement);
  }

  isFull() {
    return this.root.parentElement?.classList.contains("rv-full") || document.fullscreenElement === this.root;
  }

  // What is shown

  show(shown) {
    const [active] = this.scene.shape.flatMap((n, axis) => (n > 1 && !shown.includes(axis) ? [axis] : []));
    this.change({ shown, active, profile: null });
  }

  toggleLayout() {
    if (!this.scene.space) return;
    const planes = this.state.layout !== "planes";
    this.change({ layout: planes ? "planes" : "panels", tool: planes ? "cross" : "pan", curtain: false });
  }

  toggleCurtain() {
    if (this.scene.layers.length < 2) return;
    const curtain = !this.state.curtain;
    this.change({ curtain, layout: "panels", tool: this.state.tool === "cross" ? "pan" : this.state.tool });
  }

  nextComponent() {
    const { choices, layers } = this.scene;
    if (layers.every(({ component }) => component)) return;
    this.change({ component: choices[(choices.indexOf(this.state.component) + 1) % choices.length] });
  }

  nextError() {
    const kinds = ["none", "error", "difference"];
    if (this.scene.reference !== null) {
      this.change({ compare: kinds[(kinds.indexOf(this.state.compare) + 1) % 3] });
    }
  }

  /** Maximum projection along an axis; the planes of a volume may each have theirs. */
  project(axis) {
    const { along, layout } = this.state;
    const many = layout === "planes" && this.scene.space.includes(axis);
    if (along.includes(axis)) this.change({ along: along.filter((other) => other !== axis) });
    else this.change({ along: many ? [...along.filter((a) => this.scene.space.includes(a)), axis] : [axis] });
  }

  projectMarked() {
    const { along, layout, active } = this.state;
    if (layout === "planes") this.change({ along: along.length ? [] : [...this.scene.space] });
    else if (active !== undefined) this.project(active);
  }

  pick(tool) {
    if (tool === "cross" && this.state.layout !== "planes") return;
    this.change({ tool, profile: tool === "profile" ? this.state.profile : null });
  }

  // Grey scale and zoom

  setWindow(window) {
    const { component, windows } = this.state;
    const shared = ["magnitude", "complex"].includes(component) ? ["magnitude", "complex"] : [component];
    this.change({ windows: { ...windows, ...Object.fromEntries(shared.map((name) => [name, window])) } });
  }

  autoWindow() {
    const { component, percentiles } = this.state;
    if (component !== "phase") this.setWindow(windowBetween(this.scene, component, ...percentiles));
  }

  /** Zoom about a point of a panel, or about the middle. */
  zoomBy(factor, panel, x, y) {
    const zoom = Math.min(64, Math.max(0.5, this.state.zoom * factor));
    const centre = [...this.state.centre];
    if (panel) {
      const place = panel.voxelAt(this.state, x, y);
      panel.spec.axes.forEach((axis, i) => {
        centre[axis] = place[i] + ((centre[axis] - place[i]) * this.state.zoom) / zoom;
      });
    }
    this.change({ zoom, centre });
  }

  fit() {
    this.change({ zoom: 1, centre: this.scene.shape.map((n) => (n - 1) / 2) });
  }

  // Time

  play(axis) {
    if (axis === undefined) return;
    const playing = this.state.playing === axis ? null : axis;
    this.change({ playing, active: axis });
    clearTimeout(this.timer);
    if (playing !== null) this.beat();
  }

  /** Next picture, once this one is there. */
  beat() {
    const { playing, fps, index } = this.state;
    if (playing === null || !this.root.isConnected) return;
    if (!this.busy) this.moveTo(playing, (index[playing] + 1) % this.scene.shape[playing]);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.beat(), 1000 / fps);
  }

  // Page

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    this.schedule();
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }

  /** Save the pictures as they are seen. */
  savePicture() {
    const link = el("a", { download: "picture.png" });
    link.href = this.stage.picture().toDataURL("image/png");
    link.click();
  }
}

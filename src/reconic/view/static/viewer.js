// The viewer: its page, its pictures, and the planes that they need.

import { Actions } from "./actions.js";
import { Sliders, Toolbar, placeText } from "./controls.js";
import { el } from "./dom.js";
import { KEYS, pressed } from "./gestures.js";
import { CURVES, drawCurves, profileOf } from "./plots.js";
import { Side } from "./side.js";
import { requestsOf, Stage } from "./stage.js";
import { firstState, tablesOf } from "./state.js";

const PATIENCE = 2000; // ms, after which the page tells that it waits

/** Show a scene in an element; `planes(requests)` promises the planes that are asked for. */
export function mount(element, scene, planes) {
  const viewer = new Viewer(scene, planes);
  element.append(viewer.root);
  viewer.start();
  return viewer;
}

class Viewer extends Actions {
  constructor(scene, planes) {
    super();
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

  // Page

  inUse() {
    return this.isFull() || this.root.contains(document.activeElement);
  }

  isFull() {
    return this.root.parentElement?.classList.contains("rv-full") || document.fullscreenElement === this.root;
  }

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

// All that can be done to what is shown.

import { windowBetween } from "./plots.js";

/** Changes of the state; who extends it has `scene`, `state`, `root`, `busy` and `change(patch)`. */
export class Actions {
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
}

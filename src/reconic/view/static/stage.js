// Which pictures there are, how they share the space, and what they say.

import { digits, el } from "./dom.js";
import { listen } from "./gestures.js";
import { extents, lookOf, Panel, shownOf } from "./panel.js";
import { componentOf, decibels, nrmseOf } from "./values.js";

const CAPTION = 26; // pixels above a picture
const GAP = 10;
const TALLEST = { 1: 520, 2: 760 }; // pixels in a notebook, for one row of pictures and for two

/** Rows of panels to show: {kind, layer or layers, axes}; null leaves a gap. */
export function specsOf(state, scene) {
  const { compare, layout, shown } = state;
  if (state.curtain) return [[{ kind: "curtain", layers: state.sides, axes: shown }]];
  const layers = layout === "planes" ? [state.layer] : scene.layers.map((_, i) => i);
  const images = layers.flatMap((layer) => viewsOf(state, scene).map((axes) => ({ kind: "image", layer, axes })));
  const errors = images.map((spec) => (comparable(spec, scene) ? { ...spec, kind: "error" } : null));
  return compare === "none" || !errors.some(Boolean) ? [images] : [images, errors];
}

/** Whether the reference is another layer with a plane of the same size. */
function comparable({ layer, axes }, { layers, reference, volumes }) {
  if (reference === null || layer === reference) return false;
  const [a, b] = [layer, reference].map((i) => volumes[layers[i].volume].shape);
  return axes.every((axis) => a[axis] === b[axis]);
}

function viewsOf({ layout, shown }, { space }) {
  if (layout !== "planes") return [shown];
  const [z, y, x] = space;
  return [[y, x], [z, x], [z, y]];
}

/** What a panel needs: requests of planes, in order. */
export function requestsOf(spec, state, scene) {
  const others = { image: [spec.layer], error: [spec.layer, scene.reference], curtain: spec.layers };
  const along = state.along.find((axis) => !spec.axes.includes(axis)) ?? null;
  const index = state.index.map((i, axis) => (spec.axes.includes(axis) || axis === along ? 0 : i));
  const volumes = others[spec.kind].map((i) => scene.layers[i].volume);
  return volumes.map((volume) => ({ volume, axes: spec.axes, index, along }));
}

export class Stage {
  constructor(scene, viewer) {
    this.scene = scene;
    this.viewer = viewer;
    this.panels = [];
    this.root = el("div", { class: "rv-stage" });
  }

  /** Make the panels anew if others are asked for. */
  build(state) {
    const rows = specsOf(state, this.scene);
    const key = JSON.stringify(rows);
    if (key === this.key) return;
    const old = new Map(this.panels.map((panel) => [JSON.stringify(panel.spec), panel]));
    this.key = key;
    this.grid = rows.map((row) => row.map((spec) => spec && (old.get(JSON.stringify(spec)) ?? this.panel(spec))));
    this.panels = this.grid.flat().filter(Boolean);
    this.arranged = null;
  }

  panel(spec) {
    const panel = new Panel(spec, this.scene);
    listen(panel, this.viewer);
    return panel;
  }

  /** Give every panel its size and set `state.fit`, pixels per unit of length. */
  arrange(state) {
    const full = this.viewer.isFull();
    const width = this.root.clientWidth;
    const height = full ? this.root.clientHeight : TALLEST[this.grid.length];
    const key = [this.key, width, height].join();
    if (key === this.arranged || width < 50) return;
    this.arranged = key;
    const sizes = this.grid.flat().map((panel) => (panel ? extents(this.scene, panel.spec.axes) : [0, 0]));
    const count = this.grid[0].length;
    const splits = this.grid.length > 1 ? [count] : Array.from({ length: count }, (_, i) => i + 1);
    const fits = splits.map((columns) => fitOf(sizes, columns, width, height));
    state.fit = Math.max(...fits);
    const columns = splits[fits.indexOf(state.fit)];
    this.root.style.gridTemplateColumns = `repeat(${columns}, max-content)`;
    this.grid.flat().forEach((panel, i) => {
      panel?.resize(Math.max(40, sizes[i][1] * state.fit), Math.max(24, sizes[i][0] * state.fit));
    });
    this.root.replaceChildren(...this.grid.flat().map((panel) => panel?.root ?? el("div")));
  }

  /** Draw with the planes that are there; `planes` brings new ones by panel. */
  draw(state, tables, planes) {
    this.panels.forEach((panel) => {
      const found = planes?.get(panel) ?? panel.planes;
      if (!found) return;
      panel.colour(found, lookOf(panel.spec, state, this.scene, tables));
      panel.draw(state);
      this.caption(panel, state);
    });
  }

  caption(panel, state) {
    const { spec, planes } = panel;
    const { layers, reference } = this.scene;
    panel.title.textContent = this.titleOf(spec, state);
    panel.canvas.setAttribute("aria-label", panel.title.textContent);
    const scored = spec.kind === "error";
    panel.score.textContent = scored ? `NRMSE ${digits(nrmseOf(...planes))}` : "";
    panel.score.title = scored ? `of this plane, against ${layers[reference].title}` : "";
    panel.readout.textContent = this.readoutOf(panel, state);
  }

  titleOf({ kind, layer, layers, axes }, state) {
    const names = (layers ?? [layer]).map((i) => this.scene.layers[i].title);
    if (kind === "curtain") return names.join(" | ");
    const plane = state.layout === "planes" ? ` ${axes.map((a) => this.scene.axes[a]).join(" × ")}` : "";
    if (kind === "image") return (names[0] + plane).trim();
    const what = state.compare === "error" ? "|error|" : "difference";
    return `${what} × ${state.errorScale}${plane}`;
  }

  /** Value under the pointer, or under the crosshair. */
  readoutOf(panel, state) {
    const { spec } = panel;
    const { axes, kind } = spec;
    const pointed = state.pointer && String(state.pointer.axes) === String(axes);
    const cross = state.layout === "planes" && !pointed;
    if (!pointed && !cross) return "";
    const place = pointed ? state.pointer.place : axes.map((axis) => state.index[axis]);
    const right = kind === "curtain" && pointed && this.rightOfCurtain(panel, state);
    const values = panel.planes.map((plane) => voxel(plane, place));
    if (values.some((value) => value === null)) return "";
    if (kind === "error") return digits(errorAt(values, state));
    const layer = this.scene.layers[(spec.layers ?? [spec.layer])[right ? 1 : 0]];
    return written(values[right ? 1 : 0], shownOf(layer, state), this.scene);
  }

  /** All pictures as they are, on one canvas, with their titles. */
  picture() {
    const ratio = window.devicePixelRatio || 1;
    const box = this.root.getBoundingClientRect();
    const canvas = el("canvas", { width: box.width * ratio, height: box.height * ratio });
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.scale(ratio, ratio);
    context.font = "600 13px system-ui, sans-serif";
    context.fillStyle = "#fff";
    for (const { root, canvas: part, title, width, height } of this.panels) {
      const [x, y] = [part.getBoundingClientRect().x - box.x, part.getBoundingClientRect().y - box.y];
      context.drawImage(part, x, y, width, height);
      if (root.isConnected) context.fillText(title.textContent, x, y - 8);
    }
    return canvas;
  }

  rightOfCurtain(panel, state) {
    const { scale, start } = panel.place(state)[1];
    return start + (state.pointer.place[1] + 0.5) * scale > panel.splitAt(state);
  }
}

/** Pixels per unit of length at which pictures of `sizes` fill so many columns. */
function fitOf(sizes, columns, width, height) {
  const [widths, heights] = [[], []];
  sizes.forEach(([down, right], i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    heights[row] = Math.max(heights[row] ?? 0, down);
    widths[column] = Math.max(widths[column] ?? 0, right);
  });
  const free = [height - heights.length * (CAPTION + GAP), width - widths.length * GAP];
  return Math.max(1e-9, Math.min(free[0] / sum(heights), free[1] / sum(widths)));
}

function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}

/** The voxel at a place; null outside. */
function voxel(plane, place) {
  const [row, column] = place.map(Math.round);
  if (row < 0 || column < 0 || row >= plane.rows || column >= plane.columns) return null;
  const i = row * plane.columns + column;
  return { re: plane.re[i], im: plane.im ? plane.im[i] : null };
}

function errorAt([a, b], { compare, component }) {
  if (compare === "error") return Math.hypot(a.re - b.re, (a.im ?? 0) - (b.im ?? 0));
  return componentOf(component, a.re, a.im ?? 0) - componentOf(component, b.re, b.im ?? 0);
}

function written({ re, im }, component, { peak }) {
  if (component === "log") return `${(componentOf("log", re, im ?? 0) - decibels(peak)).toFixed(1)} dB`;
  if (im === null) return digits(re);
  if (component === "real" || component === "imaginary") return `${digits(re)} ${im < 0 ? "−" : "+"} ${digits(Math.abs(im))}i`;
  return `${digits(Math.hypot(re, im))} ∠ ${digits(Math.round((Math.atan2(im, re) * 180) / Math.PI))}°`;
}

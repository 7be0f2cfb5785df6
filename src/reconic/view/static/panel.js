// One picture: a plane in colour, zoomed, with what lies on top of it.

import { el } from "./dom.js";
import { decibels, differenceField, field, paint, paintPhase, roundLength } from "./values.js";

const AXIS_COLOURS = ["#56b4e9", "#e69f00", "#e58fc0"]; // told apart by every eye
const LARGEST_STRETCH = 8; // pictures longer than this are not drawn to scale
const FONT = "11px system-ui, sans-serif";

/** Height and width of a plane as it is drawn, in units of its spacing; square where units differ. */
export function extents(scene, axes) {
  const [down, right] = axes.map((axis) => scene.shape[axis] * scene.spacing[axis]);
  if (scene.units[axes[0]] !== scene.units[axes[1]]) return [right, right];
  return [Math.max(down, right / LARGEST_STRETCH), Math.max(right, down / LARGEST_STRETCH)];
}

export class Panel {
  constructor(spec, scene) {
    this.spec = spec;
    this.scene = scene;
    this.picture = document.createElement("canvas");
    this.other = document.createElement("canvas"); // right side of a curtain
    this.canvas = el("canvas", { class: "rv-canvas", role: "img" });
    this.title = el("b");
    this.score = el("span", { class: "rv-score" });
    this.readout = el("output", { class: "rv-readout" });
    const caption = el("figcaption", {}, this.title, this.score, this.readout);
    this.root = el("figure", { class: "rv-panel" }, caption, this.canvas);
  }

  /** Take the size of the cell, in CSS pixels. */
  resize(width, height) {
    const ratio = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.root.style.width = `${width}px`;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  /** Pixels per voxel and where voxel 0 begins, down and right. */
  place(state) {
    const { axes } = this.spec;
    const sizes = extents(this.scene, axes);
    return axes.map((axis, i) => {
      const scale = (state.fit * state.zoom * sizes[i]) / this.scene.shape[axis];
      const middle = (i === 0 ? this.height : this.width) / 2;
      return { scale, start: middle - (state.centre[axis] + 0.5) * scale };
    });
  }

  /** Place [row, column] in voxels, whole at their centres, under a point of the canvas. */
  voxelAt(state, x, y) {
    const [down, right] = this.place(state);
    return [(y - down.start) / down.scale - 0.5, (x - right.start) / right.scale - 0.5];
  }

  /** Colour the planes if they, the window or what is shown of them changed. */
  colour(planes, look) {
    const key = JSON.stringify(look.key);
    if (this.planes === planes && this.key === key) return;
    if (this.key === key && this.planes?.every((plane, i) => plane === planes[i])) return;
    this.planes = planes;
    this.key = key;
    if (this.spec.kind === "curtain") {
      look.left(this.picture, planes[0]);
      look.right(this.other, planes[1]);
    } else look.left(this.picture, ...planes);
  }

  /** Draw the picture and all that lies on it. */
  draw(state) {
    const context = this.canvas.getContext("2d");
    const ratio = this.canvas.width / this.width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.imageSmoothingEnabled = state.smooth;
    const [down, right] = this.place(state);
    this.drawPicture(context, this.picture, down, right, 0, this.width);
    if (this.spec.kind === "curtain") this.drawCurtain(context, state, down, right);
    this.drawProfile(context, state, down, right);
    this.drawCross(context, state, down, right);
    this.drawPointer(context, state, down, right);
    this.drawScale(context, right);
  }

  drawPicture(context, picture, down, right, from, to) {
    if (!picture.width || to <= from) return;
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, this.height);
    context.clip();
    const width = picture.width * right.scale;
    const height = picture.height * down.scale;
    context.drawImage(picture, right.start, down.start, width, height);
    context.restore();
  }

  drawCurtain(context, state, down, right) {
    const x = this.splitAt(state);
    context.clearRect(x, 0, this.width - x, this.height);
    this.drawPicture(context, this.other, down, right, x, this.width);
    line(context, [[x, 0], [x, this.height]], "#fff", 1.5);
    context.beginPath();
    context.arc(x, this.height / 2, 11, 0, 2 * Math.PI);
    context.fillStyle = "rgba(20, 22, 27, 0.85)";
    context.fill();
    context.strokeStyle = "#fff";
    context.stroke();
    label(context, "‹ ›", x, this.height / 2 + 4, "center");
    const [a, b] = this.spec.layers.map((i) => this.scene.layers[i].title);
    label(context, a, x - 16, 18, "right");
    label(context, b, x + 16, 18, "left");
  }

  /** Where the curtain hangs, in pixels from the left. */
  splitAt(state) {
    return state.split * this.width;
  }

  drawCross(context, state, down, right) {
    if (state.layout !== "planes") return;
    const { axes } = this.spec;
    const y = down.start + (state.index[axes[0]] + 0.5) * down.scale;
    const x = right.start + (state.index[axes[1]] + 0.5) * right.scale;
    const [rowColour, columnColour] = axes.map((axis) => axisColour(this.scene, axis));
    context.globalAlpha = 0.75;
    line(context, [[0, y], [x - 7, y]], rowColour, 1);
    line(context, [[x + 7, y], [this.width, y]], rowColour, 1);
    line(context, [[x, 0], [x, y - 7]], columnColour, 1);
    line(context, [[x, y + 7], [x, this.height]], columnColour, 1);
    context.globalAlpha = 1;
  }

  /** Where the pointer is, seen from the other pictures of the same plane. */
  drawPointer(context, state, down, right) {
    const at = state.pointer;
    if (!at || at.panel === this || String(at.axes) !== String(this.spec.axes)) return;
    const x = right.start + (at.place[1] + 0.5) * right.scale;
    const y = down.start + (at.place[0] + 0.5) * down.scale;
    for (const [colour, width] of [["#000", 3], ["#fff", 1]]) {
      line(context, [[x - 6, y], [x + 6, y]], colour, width);
      line(context, [[x, y - 6], [x, y + 6]], colour, width);
    }
  }

  drawProfile(context, state, down, right) {
    const { profile } = state;
    if (!profile || String(profile.axes) !== String(this.spec.axes)) return;
    const ends = [profile.from, profile.to].map(([r, c]) => [
      right.start + (c + 0.5) * right.scale,
      down.start + (r + 0.5) * down.scale,
    ]);
    line(context, ends, "#000", 3.5);
    line(context, ends, "#ffd34d", 1.5);
    ends.forEach(([x, y], i) => {
      context.beginPath();
      context.arc(x, y, 3.5, 0, 2 * Math.PI);
      context.fillStyle = i === 0 ? "#ffd34d" : "#14161b";
      context.fill();
      context.stroke();
    });
  }

  drawScale(context, right) {
    const axis = this.spec.axes[1];
    const unit = this.scene.units[axis];
    const spacing = this.scene.spacing[axis];
    const length = roundLength((this.width * 0.3 * spacing) / right.scale);
    const pixels = (length / spacing) * right.scale;
    const y = this.height - 11;
    line(context, [[12, y], [12 + pixels, y]], "#000", 5);
    line(context, [[13, y], [11 + pixels, y]], "#fff", 2.5);
    const text = unit ? `${length} ${unit}` : `${length} ${length === 1 ? "voxel" : "voxels"}`;
    label(context, text, 12, y - 8, "left");
  }
}

/** How a panel is coloured: functions of a canvas and of planes, and a key that tells if they changed. */
export function lookOf(spec, state, scene, tables) {
  return spec.kind === "error" ? errorLook(state, tables) : imageLook(spec, state, scene, tables);
}

function imageLook(spec, state, scene, tables) {
  const layers = spec.layers ?? [spec.layer];
  const draw = (i) => (canvas, plane) => onto(canvas, plane, (pixels) => {
    paintLayer(pixels, plane, scene.layers[i], state, scene, tables);
  });
  const shown = layers.map((i) => shownOf(scene.layers[i], state));
  const key = [shown, shown.map((component) => state.windows[component]), layers];
  return { key, left: draw(layers[0]), right: draw(layers.at(-1)) };
}

/** Component that is shown of a layer: its own, or what is chosen. */
export function shownOf(layer, state) {
  return layer.component ?? state.component;
}

function paintLayer(pixels, plane, layer, state, scene, tables) {
  const chosen = shownOf(layer, state);
  const component = plane.projected && chosen !== "log" && chosen !== "real" ? "magnitude" : chosen;
  const [lo, hi] = layer.window ?? state.windows[component];
  const table = tables[layer.colours] ?? tables.image;
  const peak = component === "log" ? decibels(scene.peak) : 0;
  if (component === "complex") paintPhase(pixels, plane, tables.complex, { lo, hi });
  else if (component === "phase") paintPhase(pixels, plane, tables.phase, { floor: 0.03 * scene.peak });
  else paint(pixels, field(plane, component), table, lo + peak, hi + peak);
}

function errorLook(state, tables) {
  const { compare: kind, component } = state;
  const span = errorSpan(state);
  const table = kind === "error" ? tables.error : tables.difference;
  const left = (canvas, a, b) => onto(canvas, a, (pixels) => {
    paint(pixels, differenceField(a, b, kind, component), table, kind === "error" ? 0 : -span, span);
  });
  return { key: [kind, component, span], left };
}

/** Error that is shown brightest: what the images' window spans, over the factor on errors. */
export function errorSpan({ compare, component, windows, errorScale }) {
  if (compare === "error" && ["log", "phase"].includes(component)) return windows.magnitude[1] / errorScale;
  const [lo, hi] = windows[component];
  return (hi - lo) / errorScale;
}

function onto(canvas, plane, fill) {
  canvas.width = plane.columns;
  canvas.height = plane.rows;
  const image = new ImageData(plane.columns, plane.rows);
  fill(new Uint32Array(image.data.buffer));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Colour of the line that stands for an axis in orthogonal planes. */
export function axisColour(scene, axis) {
  return AXIS_COLOURS[Math.max(0, (scene.space ?? []).indexOf(axis)) % AXIS_COLOURS.length];
}

function line(context, points, colour, width) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

function label(context, text, x, y, align) {
  context.font = FONT;
  context.textAlign = align;
  context.lineJoin = "round";
  context.strokeStyle = "rgba(0, 0, 0, 0.85)";
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}

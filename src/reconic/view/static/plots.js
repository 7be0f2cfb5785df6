// The grey scale as a histogram with two handles, and the profile along a line.

import { digits, el } from "./dom.js";
import { componentOf, decibels, percentile, valueAt } from "./values.js";

export const CURVES = ["#e8e8e8", "#56b4e9", "#e69f00", "#2fc79a", "#d98cb3", "#f0e442"];
const BINS = 64;
const LOWEST = -120; // dB
const MUTED = "#9aa3b2";

/** Quantiles of a component over the layers: of "all", the "least" and the "most" of each. */
function quantilesOf(scene, component) {
  return scene.quantiles[component === "complex" ? "magnitude" : component];
}

/** Percentiles that hold for all layers; `low` null is 0, or 100 − `high` where values are negative. */
export function windowBetween(scene, component, low, high) {
  const { least, most } = quantilesOf(scene, component);
  const hi = percentile(most, high) || most.at(-1);
  const lo = low === null && least[0] >= 0 ? 0 : percentile(least, low ?? 100 - high);
  return lo < hi ? [lo, hi] : [lo, lo + 1];
}

/** Histogram of the values above a ramp of the colours; dragging a handle or between moves the window. */
export class WindowControl {
  constructor(scene, changed) {
    this.scene = scene;
    this.canvas = el("canvas", {
      class: "rv-window", title: "Drag an end, or the middle, of what is shown from black to white",
    });
    this.changed = changed;
    this.canvas.addEventListener("pointerdown", (event) => this.grab(event));
  }

  sync({ component, windows }, table) {
    this.component = component;
    this.window = windows[component];
    this.table = table;
    const full = windowBetween(this.scene, component, 0, 100);
    if (component === "log") full[0] = Math.max(full[0], LOWEST); // zeros have no decibels
    if (!this.dragging) this.range = widened(full, this.window);
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    this.drawBars(context, width, height - 26);
    this.drawRamp(context, width, height);
    this.drawHandles(context, height);
  }

  drawBars(context, width, height) {
    const counts = new Float64Array(BINS);
    const [from, to] = this.range;
    for (const value of quantilesOf(this.scene, this.component).all) {
      const bin = Math.floor(((value - from) / (to - from)) * BINS);
      if (bin >= 0 && bin < BINS) counts[bin] += 1;
    }
    const tallest = Math.sqrt(1.5 * counts.toSorted().at(-2)) || 1; // one value alone may stand out
    context.fillStyle = "#4a5263";
    counts.forEach((count, i) => {
      const bar = Math.min(1, Math.sqrt(count) / tallest) * (height - 2);
      context.fillRect((i * width) / BINS, height - bar, width / BINS - 0.6, bar);
    });
  }

  drawRamp(context, width, height) {
    const [left, right] = this.window.map((value) => this.xOf(value));
    for (let x = 0; x < width; x++) {
      const shade = Math.max(0, Math.min(255, Math.round((255 * (x - left)) / (right - left || 1))));
      const colour = this.table[shade];
      context.fillStyle = `rgb(${colour & 255}, ${(colour >> 8) & 255}, ${(colour >> 16) & 255})`;
      context.fillRect(x, height - 24, 1, 9);
    }
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = MUTED;
    context.textAlign = "left";
    context.fillText(digits(this.window[0]), 0, height - 2);
    context.textAlign = "right";
    context.fillText(digits(this.window[1]), width, height - 2);
  }

  drawHandles(context, height) {
    for (const value of this.window) {
      const x = Math.max(1, Math.min(this.canvas.clientWidth - 1, this.xOf(value)));
      context.fillStyle = "#56b4e9";
      context.fillRect(x - 1, 0, 2, height - 14);
      context.fillRect(x - 4, 0, 8, 8);
    }
  }

  xOf(value) {
    return ((value - this.range[0]) / (this.range[1] - this.range[0])) * this.canvas.clientWidth;
  }

  grab(event) {
    const [left, right] = this.window.map((value) => this.xOf(value));
    const near = [left, right].map((x) => Math.abs(x - event.offsetX));
    const middle = event.offsetX > left && event.offsetX < right && Math.min(...near) > 12;
    const moved = middle ? [0, 1] : [near[0] < near[1] ? 0 : 1];
    const start = { x: event.offsetX, window: [...this.window] };
    const scale = (this.range[1] - this.range[0]) / this.canvas.clientWidth;
    this.dragging = true;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.onpointermove = (move) => {
      const next = [...start.window];
      for (const i of moved) next[i] += (move.offsetX - start.x) * scale;
      if (next[0] < next[1]) this.changed(next);
    };
    this.canvas.onpointerup = () => {
      this.dragging = false;
      this.canvas.onpointermove = null;
    };
  }
}

function widened([lo, hi], [from, to]) {
  const range = [Math.min(lo, from), Math.max(hi, to)];
  const margin = 0.02 * (range[1] - range[0]);
  return [range[0] - margin, range[1] + margin];
}

/** Values along the line of `profile` in a plane, evenly, and how far each is from its start. */
export function profileOf(plane, profile, component, spacing, peak) {
  const [dr, dc] = [profile.to[0] - profile.from[0], profile.to[1] - profile.from[1]];
  const length = Math.hypot(dr * spacing[0], dc * spacing[1]);
  const n = Math.max(2, Math.ceil(2 * Math.hypot(dr, dc)) + 1);
  return Array.from({ length: n }, (_, i) => {
    const t = i / (n - 1);
    const value = valueAt(plane, profile.from[0] + t * dr, profile.from[1] + t * dc);
    if (value === null) return [t * length, NaN];
    const shown = componentOf(component, value.re, value.im);
    return [t * length, component === "log" ? shown - decibels(peak) : shown];
  });
}

/** Curves `{title, colour, points}` over a distance, with ticks; what to do where there are none. */
export function drawCurves(canvas, curves, unit) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "11px system-ui, sans-serif";
  if (!curves.length) {
    context.fillStyle = MUTED;
    context.fillText("Drag a line over a picture to see the values along it.", 20, height / 2);
    return;
  }
  const values = curves.flatMap(({ points }) => points.map(([, y]) => y)).filter(Number.isFinite);
  const end = Math.max(...curves.flatMap(({ points }) => points.map(([x]) => x)), 1e-9);
  const [lo, hi] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const box = { left: 58, right: width - 12, top: 20, bottom: height - 22 };
  const toX = (x) => box.left + (x / end) * (box.right - box.left);
  const toY = (y) => box.bottom - ((y - lo) / (hi - lo || 1)) * (box.bottom - box.top);
  drawTicks(context, box, toX, toY, [lo, hi], end, unit);
  curves.forEach((curve) => drawCurve(context, curve, toX, toY));
  drawLegend(context, curves, box);
}

function drawTicks(context, box, toX, toY, [lo, hi], end, unit) {
  context.strokeStyle = "#2c323d";
  context.fillStyle = MUTED;
  context.lineWidth = 1;
  for (const y of ticks(lo, hi, 4)) {
    context.strokeRect(box.left, Math.round(toY(y)) + 0.5, box.right - box.left, 0);
    context.textAlign = "right";
    context.fillText(digits(y), box.left - 6, toY(y) + 4);
  }
  for (const x of ticks(0, end, 8)) {
    context.textAlign = "center";
    context.fillText(digits(x), toX(x), box.bottom + 15);
  }
  context.textAlign = "right";
  context.fillText(unit, box.right, box.bottom - 5);
}

function ticks(lo, hi, about) {
  const raw = (hi - lo || 1) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((k) => k * power >= raw);
  const first = Math.ceil(lo / step);
  const count = Math.floor(hi / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

function drawCurve(context, { points, colour }, toX, toY) {
  context.beginPath();
  let drawn = false;
  for (const [x, y] of points) {
    if (Number.isFinite(y)) drawn ? context.lineTo(toX(x), toY(y)) : context.moveTo(toX(x), toY(y));
    drawn = Number.isFinite(y);
  }
  context.strokeStyle = colour;
  context.lineWidth = 1.6;
  context.stroke();
}

function drawLegend(context, curves, box) {
  let x = box.left;
  context.textAlign = "left";
  for (const { title, colour } of curves) {
    context.fillStyle = colour;
    context.fillRect(x, 8, 14, 3);
    context.fillText(title, x + 19, 13);
    x += 34 + context.measureText(title).width;
  }
}

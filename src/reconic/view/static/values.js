// From planes of numbers to colours. A plane is {rows, columns, re, im}; `im` is null where real.

export const BAD = [0, 158, 115]; // NaN and Inf: the green that is in none of the colour maps
const TINY = 1e-37; // magnitude that stands for zero in decibels

/** One number of a complex value: what `component` names. */
export function componentOf(component, re, im) {
  if (component === "real") return re;
  if (component === "imaginary") return im;
  if (component === "phase") return Math.atan2(im, re);
  const magnitude = im === 0 ? Math.abs(re) : Math.hypot(re, im);
  return component === "log" ? decibels(magnitude) : magnitude;
}

/** Magnitude in decibels of 1. */
export function decibels(magnitude) {
  return 20 * Math.log10(Math.max(magnitude, TINY));
}

/** The component of a whole plane; the plane's own numbers where they are it. */
export function field(plane, component) {
  const { re, im } = plane;
  if (component === "real") return re;
  if (component === "imaginary" && im) return im;
  const out = new Float32Array(re.length);
  for (let i = 0; i < out.length; i++) out[i] = componentOf(component, re[i], im ? im[i] : 0);
  return out;
}

/** Difference of two planes: magnitude of the complex one ("error") or of the component, signed. */
export function differenceField(a, b, kind, component) {
  const out = new Float32Array(a.re.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = kind === "error"
      ? Math.hypot(a.re[i] - b.re[i], (a.im ? a.im[i] : 0) - (b.im ? b.im[i] : 0))
      : componentOf(component, a.re[i], a.im ? a.im[i] : 0)
        - componentOf(component, b.re[i], b.im ? b.im[i] : 0);
  }
  return component === "phase" && kind !== "error" ? out.map(wrapped) : out;
}

/** A phase in −π … π. */
function wrapped(phase) {
  return phase - 2 * Math.PI * Math.round(phase / (2 * Math.PI));
}

/** ‖a − b‖ / ‖b‖ of two planes; NaN where `b` is zero or a value is not finite. */
export function nrmseOf(a, b) {
  let error = 0;
  let size = 0;
  for (let i = 0; i < a.re.length; i++) {
    error += (a.re[i] - b.re[i]) ** 2 + ((a.im ? a.im[i] : 0) - (b.im ? b.im[i] : 0)) ** 2;
    size += b.re[i] ** 2 + (b.im ? b.im[i] ** 2 : 0);
  }
  return Math.sqrt(error / size);
}

/** Table of 256 packed pixels from 768 bytes of red, green and blue. */
export function packed(bytes) {
  return Uint32Array.from({ length: 256 }, (_, i) => pixel(bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2]));
}

function pixel(red, green, blue) {
  return (255 << 24) | (blue << 16) | (green << 8) | red;
}

/** Values through a table: `lo` is its first colour, `hi` its last. */
export function paint(pixels, values, table, lo, hi) {
  const bad = pixel(...BAD) >>> 0;
  const scale = 256 / (hi - lo || 1e-30);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value - value !== 0) pixels[i] = bad;
    else pixels[i] = table[Math.max(0, Math.min(255, (value - lo) * scale)) | 0];
  }
}

/** Phase as colour, cyclic; magnitude as brightness up to `hi`, or black under `floor`. */
export function paintPhase(pixels, plane, table, { floor, lo, hi }) {
  const bad = pixel(...BAD) >>> 0;
  for (let i = 0; i < pixels.length; i++) {
    const re = plane.re[i];
    const im = plane.im ? plane.im[i] : 0;
    const magnitude = Math.hypot(re, im);
    const turn = Math.atan2(im, re) / (2 * Math.PI) + 0.5;
    const bright = floor === undefined ? (magnitude - lo) / (hi - lo || 1e-30) : Number(magnitude > floor);
    if (!Number.isFinite(magnitude)) pixels[i] = bad;
    else pixels[i] = dimmed(table[Math.min(255, turn * 256) | 0], Math.max(0, Math.min(1, bright)));
  }
}

function dimmed(colour, bright) {
  return pixel(
    ((colour & 255) * bright) | 0,
    (((colour >> 8) & 255) * bright) | 0,
    (((colour >> 16) & 255) * bright) | 0,
  );
}

/** Value at a fractional place, bilinear in the complex plane; null outside. */
export function valueAt(plane, row, column) {
  const r = Math.min(Math.max(row, 0), plane.rows - 1);
  const c = Math.min(Math.max(column, 0), plane.columns - 1);
  if (Math.abs(r - row) > 0.5 || Math.abs(c - column) > 0.5) return null;
  const r0 = Math.min(Math.floor(r), Math.max(plane.rows - 2, 0));
  const c0 = Math.min(Math.floor(c), Math.max(plane.columns - 2, 0));
  const mix = (part) => bilinear(part, plane, r0, c0, r - r0, c - c0);
  return { re: mix(plane.re), im: plane.im ? mix(plane.im) : 0 };
}

function bilinear(part, plane, r0, c0, fr, fc) {
  let sum = 0;
  for (const [r, wr] of [[r0, 1 - fr], [r0 + 1, fr]]) {
    for (const [c, wc] of [[c0, 1 - fc], [c0 + 1, fc]]) {
      if (wr * wc !== 0) sum += wr * wc * part[r * plane.columns + c]; // NaN only where it counts
    }
  }
  return sum;
}

/** Value at percent `p` of ascending quantiles. */
export function percentile(quantiles, p) {
  const place = (Math.min(100, Math.max(0, p)) / 100) * (quantiles.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, quantiles.length - 1);
  return quantiles[below] + (place - below) * (quantiles[above] - quantiles[below]);
}

/** Round length, 1, 2 or 5 times a power of ten, of at most `longest`. */
export function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return power * [5, 2, 1].find((k) => k * power <= longest * (1 + 1e-9));
}

// Where planes come from: volumes embedded in the page, or a kernel. Both answer a list of requests
// {volume, axes: [down, right], index, along}; with `along`, the largest magnitude along that axis.

const KEPT = 48; // planes of a kernel that are kept, so that going back costs nothing

/** Planes of the volumes that the page itself holds in `elements`, decoded when first needed. */
export function embeddedPlanes(scene, elements) {
  const volumes = scene.volumes.map((about, i) => {
    return new Volume(about, elements.filter(({ dataset }) => Number(dataset.volume) === i));
  });
  return (requests) => Promise.all(requests.map((request) => volumes[request.volume].plane(request)));
}

/** Planes from a kernel: `ask(requests)` promises an array of buffers, real parts then imaginary. */
export function remotePlanes(scene, ask) {
  const kept = new Map();
  return async (requests) => {
    const keys = requests.map((r) => JSON.stringify(r));
    const missing = requests.filter((_, i) => !kept.has(keys[i]));
    const found = missing.length ? await ask(missing) : [];
    missing.forEach((r, i) => kept.set(JSON.stringify(r), received(scene.volumes[r.volume], r, found[i])));
    const planes = keys.map((key) => kept.get(key));
    for (const key of kept.keys()) {
      if (kept.size <= Math.max(KEPT, keys.length)) break;
      kept.delete(key);
    }
    return planes;
  };
}

function received(volume, { axes, along }, view) {
  const [rows, columns] = axes.map((axis) => volume.shape[axis]);
  const bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
  const values = new Float32Array(bytes.slice().buffer);
  const n = rows * columns;
  const im = volume.complex && along === null ? values.subarray(n, 2 * n) : null;
  return { rows, columns, re: values.subarray(0, n), im, projected: along !== null };
}

/** A whole array in the page, as blocks of consecutive values, compressed. */
class Volume {
  constructor(about, elements) {
    this.about = about;
    this.blocks = elements.map(blockOf);
    this.strides = about.shape.map((_, a) => product(about.shape.slice(a + 1)));
    this.re = new Float32Array(product(about.shape));
    this.im = about.complex ? new Float32Array(this.re.length) : null;
  }

  /** Wait until the values from flat index `first` to `last` are there. */
  async ready(first, last) {
    const needed = this.blocks.filter(({ start, count }) => start <= last && start + count > first);
    await Promise.all(needed.map((block) => (block.done ??= this.decode(block))));
  }

  async decode(block) {
    const bytes = await unpacked(block.element.textContent);
    const size = this.about.bits / 8;
    block.element.remove(); // its text is needed no more
    [this.re, this.im].forEach((part, i) => {
      if (part === null) return;
      const codes = bytes.subarray(i * block.count * size, (i + 1) * block.count * size);
      decodeInto(part.subarray(block.start, block.start + block.count), codes, this.about, block, i);
    });
  }

  async plane({ axes, index, along }) {
    const { shape } = this.about;
    const [rows, columns] = axes.map((axis) => shape[axis]);
    const covered = along === null ? axes : [...axes, along];
    const at = index.map((i, a) => (covered.includes(a) ? 0 : Math.min(i, shape[a] - 1)));
    const first = at.reduce((sum, i, a) => sum + i * this.strides[a], 0);
    const last = covered.reduce((sum, a) => sum + (shape[a] - 1) * this.strides[a], first);
    await this.ready(first, last);
    const [down, right] = axes.map((axis) => this.strides[axis]);
    if (along !== null) {
      return { rows, columns, re: this.largest(first, rows, columns, down, right, along), im: null, projected: true };
    }
    const cut = (part) => part && gathered(part, first, rows, columns, down, right);
    return { rows, columns, re: cut(this.re), im: cut(this.im) };
  }

  largest(first, rows, columns, down, right, along) {
    const out = new Float32Array(rows * columns);
    for (let k = 0; k < this.about.shape[along]; k++) {
      const start = first + k * this.strides[along];
      for (let r = 0, i = 0; r < rows; r++) {
        for (let c = 0, at = start + r * down; c < columns; c++, i++, at += right) {
          const size = this.im ? Math.hypot(this.re[at], this.im[at]) : Math.abs(this.re[at]);
          if (!(size <= out[i])) out[i] = Number.isNaN(out[i]) ? out[i] : size; // NaN stays
        }
      }
    }
    return out;
  }
}

function blockOf(element) {
  const { start, count, low, step } = element.dataset;
  return { element, start: Number(start), count: Number(count), low: JSON.parse(low), step: JSON.parse(step) };
}

function gathered(part, first, rows, columns, down, right) {
  const out = new Float32Array(rows * columns);
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = 0, at = first + r * down; c < columns; c++, i++, at += right) out[i] = part[at];
  }
  return out;
}

/** Codes as values; of two bytes all the lower ones come first. */
function decodeInto(out, codes, { bits, kind }, { low, step }, part) {
  const values = codeTable(bits, kind, low[part], step[part]);
  for (let i = 0; i < out.length; i++) {
    out[i] = values[bits === 8 ? codes[i] : codes[i] | (codes[i + out.length] << 8)];
  }
}

/** Value of every code: steps from the lowest one, or half precision. "linear" ends in no values. */
function codeTable(bits, kind, low, step) {
  const values = new Float32Array(2 ** bits);
  const valueOf = kind === "half" ? (code) => halfValue(code) * step : (code) => low + code * step;
  for (let code = 0; code < values.length; code++) values[code] = valueOf(code);
  if (kind === "linear") values.set([NaN, Infinity, -Infinity], values.length - 3);
  return values;
}

function halfValue(code) {
  const sign = code & 0x8000 ? -1 : 1;
  const exponent = (code >> 10) & 31;
  const fraction = code & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : fraction * 2 ** -24);
}

/** Bytes of gzip in base64. */
export async function unpacked(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function product(numbers) {
  return numbers.reduce((a, b) => a * b, 1);
}

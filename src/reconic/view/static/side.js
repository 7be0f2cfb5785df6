// Beside the pictures: the grey scale, percentiles, and what the colours mean.

import { digits, el, number, toggle } from "./dom.js";
import { errorSpan } from "./panel.js";
import { WindowControl } from "./plots.js";
import { BAD } from "./values.js";

export class Side {
  constructor(scene, viewer, tables) {
    this.tables = tables;
    this.control = new WindowControl(scene, (window) => viewer.setWindow(window));
    this.heading = el("h4");
    const percents = [0, 1].map((i) => number("", i ? "Upper percentile" : "Lower percentile", "any", (p) => {
      const percentiles = viewer.state.percentiles.map((old, j) => (i === j ? p : old));
      viewer.change({ percentiles });
      viewer.autoWindow();
    }));
    percents[0].querySelector("input").placeholder = "auto";
    this.percents = percents;
    this.auto = toggle("Auto", "Window by these percentiles (A)", () => viewer.autoWindow());
    this.range = el("div", { class: "rv-percentiles" }, percents[0], el("span", { text: "–" }), percents[1], el("span", { text: "%" }), this.auto);
    this.legends = el("div", { class: "rv-legends" });
    this.root = el("aside", { class: "rv-side" }, this.heading, this.control.canvas, this.range, this.legends);
  }

  sync(state) {
    const unit = { log: " (dB)" }[state.component] ?? "";
    const cyclic = state.component === "phase";
    this.heading.textContent = cyclic ? "Phase (rad)" : `${state.component}${unit}`;
    this.control.canvas.hidden = this.range.hidden = cyclic;
    this.percents.forEach((node, i) => node.sync(state.percentiles[i]));
    if (!cyclic) this.control.sync(state, this.tables.image);
    this.showLegends(state);
  }

  showLegends(state) {
    const key = JSON.stringify([state.component, state.compare, state.curtain, state.windows, state.errorScale]);
    if (key === this.key) return;
    this.key = key;
    const span = errorSpan(state);
    const rows = [];
    if (state.component === "complex") rows.push(ramp("phase", this.tables.complex, "−π", "π"));
    if (state.component === "phase") rows.push(ramp("", this.tables.phase, "−π", "π"));
    if (!state.curtain && state.compare === "error") rows.push(ramp("|error|", this.tables.error, "0", digits(span)));
    if (!state.curtain && state.compare === "difference") {
      rows.push(ramp("difference", this.tables.difference, digits(-span), digits(span)));
    }
    const swatch = el("i", { style: `background: rgb(${BAD})` });
    rows.push(el("p", { class: "rv-bad" }, swatch, "NaN, Inf"));
    this.legends.replaceChildren(...rows);
  }
}

function ramp(title, table, low, high) {
  const canvas = el("canvas", { width: 256, height: 1, class: "rv-ramp" });
  const image = new ImageData(new Uint8ClampedArray(table.slice().buffer), 256, 1);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const ends = el("div", { class: "rv-ends" }, el("span", { text: low }), el("span", { text: high }));
  return el("div", { class: "rv-legend" }, el("h4", { text: title }), canvas, ends);
}

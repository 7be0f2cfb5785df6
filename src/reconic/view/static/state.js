// What is shown at first, and the tables of colours.

import { packed } from "./values.js";

/** What can be changed of what is shown. */
export function firstState(scene) {
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

export function tablesOf(scene) {
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

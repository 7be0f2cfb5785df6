// The viewer as anywidget mounts it: the kernel sends planes.

import { remotePlanes } from "./planes.js";
import { mount } from "./viewer.js";

function render({ model, el: element }) {
  const scene = model.get("scene");
  const waiting = new Map();
  const answered = ({ id, error }, buffers) => {
    const { resolve, reject } = waiting.get(id) ?? {}; // another view of the model may have asked
    waiting.delete(id);
    if (error) reject?.(new Error(error));
    else resolve?.(buffers);
  };
  const ask = (requests) => new Promise((resolve, reject) => {
    const id = Math.random().toString(36).slice(2);
    waiting.set(id, { resolve, reject });
    model.send({ id, requests });
  });
  model.on("msg:custom", answered);
  const viewer = mount(element, scene, remotePlanes(scene, ask));
  return () => {
    model.off("msg:custom", answered);
    viewer.stop();
  };
}

export default { render };

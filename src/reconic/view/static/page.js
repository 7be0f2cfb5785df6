// The stand-alone page: the volumes are in it.

import { embeddedPlanes } from "./planes.js";
import { mount } from "./viewer.js";

function openPage() {
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const planes = embeddedPlanes(scene, [...document.querySelectorAll("script.block")]);
  const viewer = mount(document.getElementById("viewer"), scene, planes);
  viewer.root.focus({ preventScroll: true });
  globalThis.viewer = viewer;
}

openPage();

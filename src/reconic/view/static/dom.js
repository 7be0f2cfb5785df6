// Elements of the page, made in one call.

/** An element with properties (`class`, `text`, `on…` listeners, attributes) and children. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A button that stays pressed or not; `sync(pressed)` shows which. */
export function toggle(text, title, pressed) {
  const node = el("button", { type: "button", class: "rv-button", title, text, onclick: pressed });
  node.sync = (on) => node.setAttribute("aria-pressed", on ? "true" : "false");
  node.sync(false);
  return node;
}

/** A labelled choice among `[value, text]`; `sync(value)` shows which. */
export function choice(label, title, options, chosen) {
  const items = options.map(([value, text]) => el("option", { value, text }));
  const select = el("select", { "aria-label": title, title }, ...items);
  select.addEventListener("change", () => chosen(select.value));
  const node = el("label", { class: "rv-choice" }, el("span", { text: label }), select);
  node.sync = (value) => (select.value = String(value));
  return node;
}

/** A labelled number; `sync(value)` shows it unless it is being typed. */
export function number(label, title, step, entered) {
  const input = el("input", { type: "number", step, title, "aria-label": title });
  input.addEventListener("change", () => {
    if (input.value === "" || Number.isFinite(input.valueAsNumber)) entered(input.value === "" ? null : input.valueAsNumber);
  });
  const node = el("label", { class: "rv-number" }, el("span", { text: label }), input);
  node.sync = (value) => {
    if (document.activeElement !== input) input.value = value === null ? "" : String(value);
  };
  return node;
}

/** Four significant digits, as a person would write them. */
export function digits(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "−Inf";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5)
    ? value.toExponential(3)
    : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

// The request: a control for every key, made from what the server says of it.

import { $, el } from "./dom.js";

const shown = new Map();
let change = () => {};
let readOnly = false;
let worth = {};

/** `move(key, text, isSlide)` is called when a control is moved; null: as the file has it. */
export function onMove(move) { change = move; }

export function setReadOnly(value) {
  readOnly = value;
  document.querySelectorAll("#controls input, #controls select, #controls button").forEach((one) => { one.disabled = value; });
}

/** Shows the controls; one that is being used keeps what its user sees. */
export function showControls(list) {
  const same = list.length === shown.size && list.every((one) => shown.has(one.key));
  if (!same) build(list);
  for (const one of list) fill(shown.get(one.key), one);
  showWorth(worth);
  setReadOnly(readOnly);
}

/** Shows what a little more of each limit is worth, beside its control. */
export function showWorth(found) {
  worth = found;
  for (const [key, control] of shown) control.worth.replaceChildren(...(worth[key] ?? []).map((text) => el("li", { textContent: text })));
}

function build(list) {
  shown.clear();
  const groups = new Map();
  for (const one of list) {
    if (!groups.has(one.group)) {
      const open = ["Limits", "Training", "Market", "Money"].includes(one.group);
      groups.set(one.group, el("details", { open }, el("summary", {}, el("h2", { textContent: one.group }))));
    }
    const control = make(one);
    shown.set(one.key, control);
    groups.get(one.group).append(control.row);
  }
  $("controls").replaceChildren(...groups.values());
}

function make(one) {
  const id = `c-${one.key.replace(/[^a-z0-9]+/gi, "-")}`;
  const control = { key: one.key, worth: el("ul", { className: "worth" }), steps: [] };
  control.reset = el("button", { type: "button", className: "reset", textContent: "as in the file", hidden: true });
  control.reset.setAttribute("aria-label", `${one.label}: as in the file`);
  control.reset.addEventListener("click", () => change(one.key, null));
  const fields = { quantity: quantity, pin: quantity, choice: choice, several: several, day: day }[one.kind](control, one, id);
  const help = el("p", { id: `${id}-help`, className: "help", textContent: one.description });
  const grouped = one.kind === "several";
  control.row = el(grouped ? "fieldset" : "div", { className: "control", "data-key": one.key },
    grouped ? el("legend", { textContent: one.label }) : el("label", { for: id, textContent: one.label }),
    one.unit ? el("span", { className: "unit", textContent: one.unit }) : null,
    control.reset, ...fields, help, control.worth);
  return control;
}

/** A text field, and a slider where the server says through which values. */
function quantity(control, one, id) {
  control.text = el("input", { id, type: "text", maxLength: 200, placeholder: one.usual, spellcheck: false, autocomplete: "off", "aria-describedby": `${id}-help` });
  control.text.addEventListener("input", () => { control.isTyped = true; });
  control.text.addEventListener("change", () => { control.isTyped = false; change(one.key, control.text.value.trim() || "null"); });
  control.text.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); control.text.dispatchEvent(new Event("change")); } });
  control.slider = el("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": `${one.label}, slider` });
  control.slider.addEventListener("input", () => {
    const step = control.steps[control.slider.valueAsNumber];
    control.moved = performance.now();
    control.text.value = step;
    control.slider.setAttribute("aria-valuetext", step);
    change(one.key, step, true);
  });
  control.range = el("p", { className: "range", "aria-hidden": "true" });
  return [control.text, control.slider, control.range];
}

/** A day, and a slider through the calendar; what stands around the day comes with the control. */
function day(control, one, id) {
  const [first, last] = one.range.map(dayNumber);
  const send = (text, isSlide) => change(one.key, text ? `${control.before}${text}${control.after}` : "null", isSlide);
  control.date = el("input", { id, type: "date", min: one.range[0], max: one.range[1], "aria-describedby": `${id}-help` });
  control.date.addEventListener("change", () => { if (!control.date.validity.badInput && !control.date.validity.rangeUnderflow) send(control.date.value); });
  control.days = el("input", { type: "range", min: first, max: last, value: first, "aria-label": `${one.group}, ${one.label}, slider` });
  control.days.addEventListener("input", () => {
    control.moved = performance.now();
    control.date.value = dayText(control.days.valueAsNumber);
    control.days.setAttribute("aria-valuetext", control.date.value);
    send(control.date.value, true);
  });
  return [control.date, control.days];
}

const DAY = 86400000;
const dayNumber = (text) => Math.round(Date.parse(`${text}T00:00:00Z`) / DAY);
const dayText = (number) => new Date(number * DAY).toISOString().slice(0, 10);

function fillDay(control, one) {
  control.before = one.before ?? "";
  control.after = one.after ?? "";
  control.row.hidden = one.before === "";
  if (isMoving(control) || document.activeElement === control.date) return;
  control.date.value = one.value;
  control.days.value = String(dayNumber(one.value || one.usual));
  control.days.setAttribute("aria-valuetext", one.value || `not stated, ${one.usual}`);
}

function choice(control, one, id) {
  control.select = el("select", { id, "aria-describedby": `${id}-help` }, ...one.options.map((text) => el("option", { value: text, textContent: text })));
  control.select.addEventListener("change", () => change(one.key, control.select.value));
  return [control.select];
}

function several(control, one, id) {
  control.boxes = one.options.map((text, index) => {
    const box = el("input", { type: "checkbox", id: `${id}-${index}`, value: text });
    box.addEventListener("change", () => {
      const chosen = control.boxes.filter((each) => each.checked).map((each) => each.value);
      change(one.key, chosen.length ? `[${chosen.join(", ")}]` : "null");
    });
    return box;
  });
  control.summary = el("summary", { textContent: "any" });
  const list = el("div", { className: "boxes" }, ...control.boxes.map((box) => el("label", { for: box.id }, box, ` ${box.value}`)));
  return [one.options.length > 4 ? el("details", {}, control.summary, list) : list];
}

function fill(control, one) {
  control.reset.hidden = !one.changed;
  control.row.classList.toggle("is-changed", one.changed);
  if (control.select) select(control.select, one);
  if (control.boxes) {
    const chosen = new Set(one.chosen);
    for (const box of control.boxes) box.checked = chosen.has(box.value);
    control.summary.textContent = chosen.size ? [...chosen].join(", ") : "any";
  }
  if (control.text && !control.isTyped && !isMoving(control)) control.text.value = one.value;
  if (control.slider) slide(control, one);
  if (control.date) fillDay(control, one);
}

/** Shows a value, one that only a file can state too. */
function select(element, { value, usual, options }) {
  const shown = value || (options.includes(usual) ? usual : options[0]);
  for (const extra of [...element.options].slice(options.length)) extra.remove();
  if (!options.includes(shown)) element.append(el("option", { value: shown, textContent: shown, disabled: true }));
  element.value = shown;
}

function slide(control, one) {
  control.slider.hidden = control.range.hidden = one.steps.length < 2;
  if (one.steps.length < 2) return;
  if (isMoving(control)) return;
  control.steps = one.steps;
  control.slider.max = String(one.steps.length - 1);
  control.slider.value = String(nearest(one.steps, one.value || one.usual, one.isLimit));
  control.slider.setAttribute("aria-valuetext", one.value || one.usual);
  control.range.replaceChildren(el("span", { textContent: one.steps[0] }), el("span", { textContent: one.steps.at(-1) }));
}

/** Whether a slider was moved just now, so that what comes back may be older than what its user sees. */
const isMoving = (control) => performance.now() - (control.moved ?? -Infinity) < 800;

/** The step whose amount is nearest to a text in the same unit; without an amount the end at which nothing binds. */
function nearest(steps, text, isLimit) {
  const wanted = amount(text ?? "");
  if (Number.isNaN(wanted)) return isLimit ? steps.length - 1 : 0;
  let best = 0;
  steps.forEach((step, index) => { if (Math.abs(amount(step) - wanted) < Math.abs(amount(steps[best]) - wanted)) best = index; });
  return best;
}

const UNITS = { h: 1 / 24, d: 1, day: 1, days: 1, w: 7, week: 7, weeks: 7, month: 30, months: 30, k: 1e3, M: 1e6, MUSD: 1e6, B: 1e9, T: 1e12 };

/** A rough amount, only to place the thumb of a slider: the server alone reads what is asked. */
function amount(text) {
  const found = /^[^0-9.]*([0-9][0-9,._]*)\s*([A-Za-z]*)/.exec(text);
  return found ? parseFloat(found[1].replace(/[,_]/g, "")) * (UNITS[found[2]] ?? 1) : NaN;
}

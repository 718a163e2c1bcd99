// Charts: Vega-Lite in the page's own colours, its expressions interpreted rather than compiled.

import { expressionInterpreter } from "./vega-interpreter.js";

const views = new WeakMap();
const specs = new Map();
const dark = matchMedia("(prefers-color-scheme: dark)");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const palette = () => [...Array(10).keys()].map((index) => colour(`t${index}`));

/** The specification with colours such as "@ink" looked up. */
function themed(value) {
  if (typeof value === "string" && /^@[a-z0-9]+$/.test(value)) return colour(value.slice(1));
  if (Array.isArray(value)) return value.map(themed);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, key === "values" ? one : themed(one)]));
  return value;
}

const NARROW = 520;

/** The specification with legends in fewer columns, for a phone. */
function narrowed(value) {
  if (Array.isArray(value)) return value.map(narrowed);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => {
    if (key === "legend" && one) return [key, { ...one, columns: one.columns > 2 ? 2 : 1, labelLimit: width(one) }];
    return [key, key === "values" ? one : narrowed(one)];
  }));
}

const width = (legend) => (legend.columns > 2 ? 130 : 260);

function config() {
  const ink = colour("ink"), muted = colour("muted"), grid = colour("grid");
  return {
    background: null, font: "system-ui, sans-serif", view: { stroke: null },
    range: { category: palette() },
    axis: { labelColor: muted, titleColor: ink, gridColor: grid, domainColor: muted, tickColor: muted, labelFontSize: 12, titleFontSize: 12, titlePadding: 8, labelOverlap: true },
    legend: { labelColor: ink, titleColor: muted, labelFontSize: 12, labelLimit: 220, symbolOpacity: 1 },
  };
}

/** Draws a chart into an element; `pick` is given the datum of a mark that is chosen. */
export function draw(element, spec, pick) {
  specs.set(element, [spec, pick]);
  if (held.has(element)) return;
  if (!spec) { element.replaceChildren(); return; }
  const width = Math.max(220, element.clientWidth - 8);
  const whole = { ...(width < NARROW ? narrowed(themed(spec)) : themed(spec)), width, autosize: { type: "fit-x", contains: "padding" }, config: config() };
  const { spec: compiled } = vegaLite.compile(whole, { logger: vega.logger(vega.Error) });
  const runtime = vega.parse(compiled, null, { ast: true });
  views.get(element)?.finalize();
  const view = new vega.View(runtime, { expr: expressionInterpreter, renderer: "svg", container: element, hover: true, tooltip: tip, logLevel: vega.Error });
  if (pick) view.addEventListener("click", (_, item) => { if (item?.datum) pick(item.datum); });
  views.set(element, view);
  view.run();
}

/** The view in an element. */
export const viewOf = (element) => views.get(element);

const held = new Set();

/** Keeps the chart in an element as it is while something in it is dragged; afterwards the newest one is drawn. */
export function hold(element, isHeld) {
  if (isHeld) { held.add(element); return; }
  held.delete(element);
  if (specs.has(element)) draw(element, ...specs.get(element));
}

/** The tooltip: plain text beside the pointer. */
function tip(_, event, __, value) {
  let box = document.getElementById("tip");
  if (!box) {
    box = Object.assign(document.createElement("div"), { id: "tip", className: "tip" });
    box.setAttribute("aria-hidden", "true");
    document.body.append(box);
  }
  if (value === null || value === undefined || value === "") { box.hidden = true; return; }
  const lines = typeof value === "object" ? Object.entries(value).map(([key, one]) => `${key}: ${one}`) : [String(value)];
  box.textContent = lines.join("\n");
  box.hidden = false;
  box.style.left = `${Math.min(event.clientX + 12, innerWidth - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.min(event.clientY + 12, innerHeight - box.offsetHeight - 8)}px`;
}

/** Draws every chart anew that is still on the page. */
function redraw() {
  for (const [element, [spec, pick]] of specs) {
    if (element.isConnected) draw(element, spec, pick); else specs.delete(element);
  }
}

let waiting = 0;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 150); });
dark.addEventListener("change", redraw);

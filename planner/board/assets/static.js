// A board without a server: the best plan within a deadline, a budget and a number of GPUs, read off a table.

"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const [KEPT, WALL, CENTS, GPUS, ACCELERATOR, PLACE] = [0, 1, 2, 3, 4, 5];
const DAY = 86400, HOUR = 3600;
const DURATIONS = { s: 1, min: 60, h: HOUR, hour: HOUR, hours: HOUR, d: DAY, day: DAY, days: DAY, w: 7 * DAY, week: 7 * DAY, weeks: 7 * DAY };
const MONEY = { "": 1, k: 1e3, K: 1e3, M: 1e6, B: 1e9, USD: 1, kUSD: 1e3, MUSD: 1e6, BUSD: 1e9 };
const byTime = data.objective === "time";

/** The best row within limits (seconds, cents, GPUs; Infinity: none) on one accelerator or on all; null when there is none. */
function best(seconds, cents, gpus, accelerator = null) {
  const [first, second] = byTime ? [WALL, CENTS] : [CENTS, WALL];
  let found = null;
  for (const row of data.rows) {
    if (row[KEPT] > seconds || row[CENTS] > cents || row[GPUS] > gpus || (accelerator !== null && row[ACCELERATOR] !== accelerator)) continue;
    if (!found || row[first] < found[first] || (row[first] === found[first] && row[second] < found[second])) found = row;
  }
  return found;
}
globalThis.planBest = best;

const READ = {
  "limits.deadline": (text) => measured(text, DURATIONS),
  "limits.budget": (text) => Math.round(measured(text.replace(/\$/, ""), MONEY) * 100),
  "limits.gpus": (text) => measured(text, { "": 1, GPUs: 1 }),
};

/** An amount in a unit, or sums such as "1d 12h"; throws for what cannot be read. */
function measured(text, units) {
  const parts = [...text.replace(/,/g, "").matchAll(/([0-9]*\.?[0-9]+)\s*([A-Za-z]*)/g)];
  const rest = text.replace(/,/g, "").replace(/([0-9]*\.?[0-9]+)\s*([A-Za-z]*)/g, "").trim();
  if (!parts.length || rest || parts.some((part) => !(part[2] in units))) throw new Error(`${text} cannot be read: write for example ${Object.keys(units).includes("d") ? "60d" : "$7M or 2048"}`);
  return parts.reduce((sum, part) => sum + Number(part[1]) * units[part[2]], 0);
}

const dollars = (cents) => `$${Math.round(cents / 100).toLocaleString("en-US")}`;
const count = (number) => number.toLocaleString("en-US");
const duration = (seconds) => (seconds >= 2 * DAY ? `${digits(seconds / DAY)} d` : seconds >= 2 * HOUR ? `${digits(seconds / HOUR)} h` : `${digits(seconds / 60)} min`);
const digits = (number) => (number >= 100 ? Math.round(number).toLocaleString("en-US") : String(Number(number.toPrecision(3))));
const $ = (id) => document.getElementById(id);

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

const fields = {};
for (const control of data.controls) {
  const text = make("input", { id: control.key.replace(".", "-"), type: "text", value: control.value, placeholder: "none", autocomplete: "off" });
  const slider = make("input", { type: "range", min: 0, max: control.steps.length - 1, value: control.steps.length - 1 });
  slider.setAttribute("aria-label", `${control.label}, slider`);
  slider.setAttribute("aria-valuetext", control.value || "none");
  slider.addEventListener("input", () => { text.value = control.steps[slider.valueAsNumber]; slider.setAttribute("aria-valuetext", text.value); show(); });
  text.addEventListener("input", show);
  const range = make("p", { className: "range" }, make("span", { textContent: control.steps[0] }), make("span", { textContent: control.steps.at(-1) }));
  const place = (value) => { const wanted = READ[control.key](value); return control.steps.reduce((near, step, index) => (Math.abs(READ[control.key](step) - wanted) < Math.abs(READ[control.key](control.steps[near]) - wanted) ? index : near), 0); };
  if (control.value) slider.value = String(place(control.value));
  fields[control.key] = text;
  $("controls").append(make("div", { className: "control" }, make("label", { htmlFor: text.id, textContent: control.label }), make("span", { className: "unit", textContent: control.unit }), text, slider, range));
}

/** What a field asks for: Infinity when it is empty. */
function asked(key) { const text = fields[key].value.trim(); return text ? READ[key](text) : Infinity; }

function show() {
  let limits;
  try { limits = ["limits.deadline", "limits.budget", "limits.gpus"].map(asked); $("message").hidden = true; } catch (error) { $("message").textContent = error.message; $("message").hidden = false; return; }
  const row = best(...limits);
  $("title").textContent = row ? `${count(row[GPUS])} × ${data.accelerators[row[ACCELERATOR]]} for ${duration(row[WALL])}, ${dollars(row[CENTS])}` : "No plan exists within these limits";
  $("lead").replaceChildren(make("p", { textContent: row ? data.places[row[PLACE]] : needed(limits) }));
  const facts = row ? [["cost", dollars(row[CENTS])], ["done in", duration(row[WALL])], ["GPUs", count(row[GPUS])]] : [];
  $("facts").replaceChildren(...facts.map(([name, text]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: text }))));
  others(limits, row);
  const sets = Object.entries(fields).map(([key, field]) => ` --set '${key}=${field.value.trim() || "null"}'`);
  $("command").textContent = `plan solve ${data.file}${sets.join("")}`;
}

/** What each limit alone would have to be. */
function needed([seconds, cents, gpus]) {
  const least = (rows, column) => rows.reduce((found, row) => Math.min(found, row[column]), Infinity);
  const kept = (skip) => data.rows.filter((row) => (skip === KEPT || row[KEPT] <= seconds) && (skip === CENTS || row[CENTS] <= cents) && (skip === GPUS || row[GPUS] <= gpus));
  const words = [[KEPT, "a deadline of", duration], [CENTS, "a budget of", dollars], [GPUS, "GPUs:", count]]
    .map(([column, text, shown]) => [least(kept(column), column), text, shown]).filter(([value]) => Number.isFinite(value)).map(([value, text, shown]) => `${text} ${shown(value)}`);
  return words.length ? `Alone would help: ${words.join("; ")}.` : "No single limit is to blame.";
}

function others(limits, chosen) {
  const rows = data.accelerators.map((name, index) => [name, best(...limits, index)]).filter(([, row]) => row)
    .sort(([, a], [, b]) => (byTime ? a[WALL] - b[WALL] : a[CENTS] - b[CENTS]));
  const cells = (row) => [count(row[GPUS]), duration(row[WALL]), dollars(row[CENTS]), data.places[row[PLACE]]];
  const head = make("tr", {}, ...["accelerator", "GPUs", "time", "cost", "where"].map((text) => make("th", { textContent: text, scope: "col" })));
  const body = rows.map(([name, row]) => make("tr", { className: row === chosen ? "chosen" : "" }, make("th", { textContent: name, scope: "row" }), ...cells(row).map((text) => make("td", { textContent: text }))));
  $("others").replaceChildren(make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))));
}

$("count").textContent = `${data.rows.length.toLocaleString("en-US")} plans`;
$("controls").addEventListener("submit", (event) => event.preventDefault());
show();

// The page: it shows what the board says, and says what its user moves.

import { follow, post, setWho, who } from "./api.js";
import { draggable } from "./calendar.js";
import { draw } from "./charts.js";
import { onMove, setReadOnly, showControls, showWorth } from "./controls.js";
import { $, bill, el, table } from "./dom.js";

let version = 0;
let state = null;
let sections = null;
let replay = { version: -1, found: [] };
let view = viewOfAddress() ?? "research";
let isReader = false;
let opened = false;

const VIEWS = ["research", "infrastructure", "finance"];

// ---- moves: one request at a time, the newest change of each key wins

let waiting = {};
let slide = { key: "", name: "", at: 0 };
let sending = false;

onMove(move);

/** Changes a key; `isSlide`: one of many moves of a slider or a drag, which are taken back together. */
function move(key, text, isSlide = false) {
  const now = performance.now();
  if (!isSlide || key !== slide.key || now - slide.at > 1000) slide = { key, name: isSlide ? `${key.slice(0, 60)} ${Math.round(now)}` : "", at: now };
  slide.at = now;
  waiting[key] = text;
  stale();
  if (!sending) send();
}

async function send() {
  sending = true;
  while (Object.keys(waiting).length) {
    const sets = waiting;
    waiting = {};
    await say("move", { sets, slide: Object.keys(sets).length === 1 ? slide.name : "" });
  }
  sending = false;
}

/** Makes a move and shows what is wrong with it, if anything is. */
async function say(path, body) {
  try {
    const answer = await post(path, body);
    message("");
    if (answer.version === version) fresh(path);
    return answer;
  } catch (error) {
    message(error.message);
    fresh();
    return null;
  }
}

/** A move that changed nothing brings no new answer. */
function fresh() {
  if (state && document.body.dataset.answered === String(version)) document.body.classList.remove("is-stale");
}

function stale() { document.body.classList.add("is-stale"); }

function message(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

// ---- what the board says

const HEAR = {
  hello: (_, { role }) => {
    isReader = role !== "write";
    document.body.classList.toggle("is-reader", isReader);
    setReadOnly(isReader);
    for (const id of ["undo", "redo", "pin", "save", "file"]) $(id).disabled = isReader;
    openAddress();
  },
  lost: () => message("The line to the board is broken; trying again…"),
  state: showState,
  people: (_, names) => showPeople(names),
  answer: showAnswer,
  around: showAround,
  controls: (_, list) => showControls(list),
  sections: (_, found) => { sections = found; showView(); },
  replay: (itsVersion, found) => { replay = { version: itsVersion, found }; showView(); },
  worth: (_, found) => showWorth(found),
  pins: (_, pins) => showTray(pins),
  relaxations: (_, list) => showRelaxations(list),
  reason: (_, text) => { $("reason").textContent = text; },
  progress: (_, text) => { $("progress").textContent = `${text}…`; },
  failure: (_, { message: text }) => { message(text); $("progress").textContent = ""; },
  done: () => { $("progress").textContent = ""; document.body.dataset.done = String(version); },
};

const source = follow((name, itsVersion, piece) => HEAR[name]?.(itsVersion, piece));
addEventListener("pagehide", () => source.close());

function showState(itsVersion, found) {
  if (itsVersion !== version) stale();
  version = itsVersion;
  state = found;
  message("");
  $("undo").disabled = isReader || !found.canUndo;
  $("redo").disabled = isReader || !found.canRedo;
  const files = $("file");
  if (files.options.length !== found.files.length) files.replaceChildren(...found.files.map((name, index) => el("option", { value: index, textContent: name })));
  files.value = String(found.problem);
  for (const link of $("exports").querySelectorAll("[data-only]")) link.hidden = link.dataset.only !== found.kind;
  $("log").replaceChildren(...found.log.toReversed().map(({ who: name, what }) => el("li", {}, el("b", { textContent: name }), ` ${what}`)));
  showPeople(found.people);
  if (opened) remember();
}

function showPeople(names) {
  $("people").textContent = names.length > 1 ? `· ${names.length} at the table: ${names.join(", ")}` : "";
}

function showAnswer(itsVersion, found) {
  document.title = `${found.name}: ${found.title}`;
  $("title").textContent = found.title;
  $("answer").dataset.status = found.status;
  $("lead").replaceChildren(...found.lead.map((text) => el("p", { textContent: text })));
  $("facts").replaceChildren(...found.facts.map(([name, text]) => el("div", {}, el("dt", { textContent: name }), el("dd", { textContent: text }))));
  $("bill").replaceChildren(...[bill(found.bill)].filter(Boolean));
  $("limits").replaceChildren(...(found.limits ? [table(found.limits)] : []));
  if (found.figures) $("relaxations").hidden = true;
  else if (itsVersion === version && document.body.dataset.answered !== String(version)) {
    $("relaxations").hidden = false;
    $("reason").textContent = "";
    $("relaxation-list").replaceChildren();
  }
  if (itsVersion === version) {
    document.body.dataset.answered = String(version);
    document.body.classList.remove("is-stale");
  }
}

function showAround(_, { worth, headings, chart, others }) {
  showWorth(worth);
  $("frontier-title").textContent = headings.chart;
  $("frontier-hint").textContent = headings.hint;
  $("others-title").textContent = headings.others;
  draw($("frontier"), chart, isReader ? null : pickPoint);
  $("others").replaceChildren(others ? table(others) : el("p", { className: "hint", textContent: headings.none }));
}

draggable($("frontier"), (key, text) => { if (!isReader) move(key, text, true); });

/** A point of the frontier becomes the request: its time and money, rounded up. */
function pickPoint({ sets }) { if (sets) { stale(); say("move", { sets }); } }

function showRelaxations(list) {
  $("relaxation-list").replaceChildren(...list.map((one) => {
    const words = `${one.limit}: ${one.from} → ${one.to}${one.change ? ` (${one.change})` : ""}`;
    if (!Object.keys(one.sets).length) return el("li", { className: "hopeless", textContent: words });
    const button = el("button", { type: "button", textContent: words, disabled: isReader });
    button.addEventListener("click", () => { stale(); say("move", { sets: one.sets }); });
    return el("li", {}, button, el("span", { className: "then", textContent: one.then }));
  }));
}

// ---- views

function showView() {
  for (const name of VIEWS) {
    const tab = $(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === view));
    tab.tabIndex = name === view ? 0 : -1;
  }
  $("view").setAttribute("aria-labelledby", `tab-${view}`);
  if (!sections) return;
  const charts = [];
  const carriedOut = view === "infrastructure" && replay.version === version ? replay.found : [];
  $("view").replaceChildren(...[...sections[view], ...carriedOut].map((one) => {
    if (one.kind === "table") return table(one);
    if (one.kind === "notes") return el("div", {}, el("h3", { textContent: one.title }), ...one.lines.map((text) => el("p", { textContent: text })));
    const place = el("div", { className: "chart" });
    charts.push([place, one.spec]);
    return el("figure", {}, el("figcaption", { textContent: one.title }), place);
  }));
  for (const [place, spec] of charts) draw(place, spec);
}

for (const name of VIEWS) {
  const tab = $(`tab-${name}`);
  tab.addEventListener("click", () => { view = name; showView(); remember(); });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    view = VIEWS[(VIEWS.indexOf(view) + step + VIEWS.length) % VIEWS.length];
    showView();
    remember();
    $(`tab-${view}`).focus();
  });
}

// ---- pinned scenarios

function showTray(pins) {
  if (!pins.length) { $("tray").replaceChildren(el("p", { className: "hint", textContent: "Pin a scenario to keep it beside the one you move." })); return; }
  const rows = [...new Set(pins.flatMap((pin) => Object.keys(pin.shown)))];
  const changes = [...new Set(pins.flatMap((pin) => Object.keys(pin.sets)))];
  const first = pins[0];
  const head = el("tr", {}, el("td"), ...pins.map((pin, index) => el("th", { scope: "col" }, pin.name, " ", button("use", `use ${pin.name}`, "use", index), " ", button("remove", `remove ${pin.name}`, "unpin", index))));
  const body = [
    ...rows.map((row) => el("tr", {}, el("th", { scope: "row", textContent: row }), ...pins.map((pin) => el("td", { className: pin.shown[row] !== first.shown[row] ? "differs" : "", textContent: pin.shown[row] ?? "–" })))),
    ...changes.map((key) => el("tr", { className: "change" }, el("th", { scope: "row", textContent: key }), ...pins.map((pin) => el("td", { className: pin.sets[key] !== first.sets[key] ? "differs" : "", textContent: pin.sets[key] ?? "as in the file" })))),
    ...["cost", "time"].map((row) => el("tr", {}, el("th", { scope: "row", textContent: `${row} against ${first.name}` }), ...pins.map((pin) => el("td", { textContent: pin.against?.[row] ?? "–" })))),
  ];
  $("tray").replaceChildren(el("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of pinned scenarios" }, el("table", { className: "tray" }, el("thead", {}, head), el("tbody", {}, ...body))));
}

function button(text, label, path, index) {
  const made = el("button", { type: "button", textContent: text, disabled: isReader, "aria-label": label });
  made.addEventListener("click", () => say(path, { index }));
  return made;
}

// ---- the address: the whole state, and this page's own view

function viewOfAddress() { const found = new URLSearchParams(location.hash.slice(1)).get("view"); return ["research", "infrastructure", "finance"].includes(found) ? found : null; }

function fragmentOfAddress() { const found = new URLSearchParams(location.hash.slice(1)); found.delete("view"); return found.toString(); }

function remember() {
  const fragment = new URLSearchParams(state?.fragment ?? "");
  if (view !== "research") fragment.set("view", view);
  const text = fragment.toString();
  history.replaceState(null, "", `${location.pathname}${location.search}${text ? `#${text}` : ""}`);
}

/** An address with a state in it puts the board into that state; one without follows. */
async function openAddress() {
  const fragment = fragmentOfAddress();
  if (fragment && !isReader && !opened) await say("open", { fragment });
  if (!opened) { opened = true; if (state) remember(); }
}

addEventListener("hashchange", async () => {
  view = viewOfAddress() ?? view;
  showView();
  if (!isReader) await say("open", { fragment: fragmentOfAddress() });
});

// ---- buttons

$("controls").addEventListener("submit", (event) => event.preventDefault());
$("undo").addEventListener("click", () => say("undo"));
$("redo").addEventListener("click", () => say("redo"));
$("file").addEventListener("change", () => say("choose", { index: Number($("file").value) }));
$("pin").addEventListener("click", async () => {
  const number = (state?.pins.length ?? 0) + 1;
  await ask("Pin this scenario", "Name", `Scenario ${number}`, (name) => post("pin", { name }));
});
$("save").addEventListener("click", () => ask("Save the problem in the folder in which plan board was started", "File name", "agreed.yaml", async (name, again) => {
  const { saved, folder } = await post("save", { name, replace: again });
  message(`Saved ${saved} in ${folder}`);
}));
$("copy-command").addEventListener("click", () => copy(state?.command ?? "", "The command is copied"));
$("copy-link").addEventListener("click", () => copy(location.href, "The link is copied"));
$("who").value = who();
$("who").addEventListener("change", () => { setWho($("who").value.trim() || who()); location.reload(); });

const exports = $("export");
exports.addEventListener("click", () => toggle(exports.getAttribute("aria-expanded") !== "true"));
$("exports").addEventListener("click", () => toggle(false));
function toggle(open) {
  exports.setAttribute("aria-expanded", String(open));
  $("exports").hidden = !open;
  if (open) $("exports").querySelector("a").focus();
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && exports.getAttribute("aria-expanded") === "true") { toggle(false); exports.focus(); }
  if (!(event.ctrlKey || event.metaKey) || event.target.matches("input[type=text], input:not([type])")) return;
  const undo = event.key === "z" && !event.shiftKey, redo = event.key === "y" || (event.key.toLowerCase() === "z" && event.shiftKey);
  if (undo || redo) { event.preventDefault(); say(undo ? "undo" : "redo"); }
});

async function copy(text, done) {
  try { await navigator.clipboard.writeText(text); message(done); } catch { await ask("Copy this", "Text", text, async () => {}); }
}

/** Asks for a text until `use` takes it; where a file is there already, asks whether to replace it. */
async function ask(title, label, first, use) {
  const dialog = $("ask");
  $("ask-title").textContent = title;
  $("ask-label").textContent = label;
  $("ask-text").value = first;
  $("ask-error").hidden = true;
  $("ask-yes").textContent = "OK";
  let again = false;
  for (;;) {
    dialog.returnValue = "";
    dialog.showModal();
    $("ask-text").select();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    if (dialog.returnValue !== "yes") return;
    try { await use($("ask-text").value, again); return; } catch (error) {
      $("ask-error").textContent = error.message;
      $("ask-error").hidden = false;
      again = error.status === 409;
      $("ask-yes").textContent = again ? "Replace it" : "OK";
    }
  }
}

showView();

// Days that are dragged in a chart: marks whose datum has a key, along the chart's own scale of time.

import { hold, viewOf } from "./charts.js";

const DAY = 86400000;
const dayText = (time) => { const at = new Date(time); return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`; };

/** Lets marks of the chart in an element be dragged: `move(key, text)` is told each new day, and the last one again. */
export function draggable(element, move) {
  let held = null;

  element.addEventListener("pointerdown", (event) => {
    const view = viewOf(element), datum = event.target.__data__?.datum;
    if (!view || !datum?.key || datum.before === "" && datum.key.endsWith(".fixed")) return;
    event.preventDefault();
    hold(element, true);
    held = { view, datum, from: event.clientX, at: noon(datum.day), day: datum.day };
    element.setPointerCapture(event.pointerId);
    show(held);
  });

  element.addEventListener("pointermove", (event) => {
    if (!held) return;
    const scale = held.view.scale("x");
    const at = scale.invert(scale(held.at) + event.clientX - held.from).getTime();
    const [first, last] = held.datum.range;
    const day = [dayText(at), first, last].sort()[1];
    if (day === held.day) return;
    held.day = day;
    show(held);
    move(held.datum.key, written(held));
  });

  for (const name of ["pointerup", "pointercancel"]) {
    element.addEventListener(name, () => {
      if (!held) return;
      const { view } = held;
      held = null;
      view.change("dragged", vega.changeset().remove(() => true)).run();
      hold(element, false);
    });
  }
}

const noon = (day) => Date.parse(`${day}T12:00:00`);
const written = ({ datum, day }) => `${datum.before}${day}${datum.after}`;

/** The line and the word at the day to which something is being dragged. */
function show({ view, datum, day }) {
  const values = [{ at: noon(day), words: `${datum.label} ${day}` }];
  view.change("dragged", vega.changeset().remove(() => true).insert(values)).run();
}

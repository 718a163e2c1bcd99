// Elements from plain text: nothing that comes from the server is ever read as HTML.

export const $ = (id) => document.getElementById(id);

/** An element with properties, attributes (`aria-…`, `data-…`, `role`, `scope`, `for`) and children. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.includes("-") || ["role", "scope", "for", "list"].includes(key)) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table as the server describes it. */
export function table({ title, headings, rows, figures }) {
  const right = new Set(figures);
  const cell = (name, text, index, more = {}) => el(name, { textContent: text, className: right.has(index) ? "figure" : "", ...more });
  return el("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": title },
    el("table", {},
      el("caption", { textContent: title }),
      el("thead", {}, el("tr", {}, ...headings.map((text, index) => cell("th", text, index, { scope: "col" })))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((text, index) => (index ? cell("td", text, index) : cell("th", text, index, { scope: "row" }))))))));
}

/** A bill: the total, phases, and purchases below them. */
export function bill(lines) {
  if (!lines.length) return null;
  return el("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Bill" },
    el("table", { className: "bill" }, el("caption", { textContent: "Bill" }),
      el("thead", { className: "hidden" }, el("tr", {}, el("th", { scope: "col", textContent: "what" }), el("th", { scope: "col", textContent: "cost" }))),
      el("tbody", {}, ...lines.map((line) => el("tr", { className: `depth-${line.depth}` },
        el("th", { scope: "row" }, line.name, line.detail ? el("span", { className: "detail", textContent: line.detail }) : null),
        el("td", { className: "figure", textContent: line.amount }))))));
}

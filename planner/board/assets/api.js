// What the page asks of the server, and what it hears from it.

const NAME = "plan-board-name";
export const who = () => localStorage.getItem(NAME) || `guest ${session()}`;
export const setWho = (name) => localStorage.setItem(NAME, name);

function session() {
  let number = sessionStorage.getItem(NAME);
  if (!number) sessionStorage.setItem(NAME, (number = String(crypto.getRandomValues(new Uint16Array(1))[0] % 900 + 100)));
  return number;
}

/** Posts a move; throws an Error with what is wrong. */
export async function post(path, body = {}) {
  let response;
  try {
    response = await fetch(`/api/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ ...body, who: who() }) });
  } catch {
    throw new Error("The board does not answer: is plan board still running?");
  }
  if (response.ok) return response.json();
  const text = await response.text();
  let issues;
  try { issues = JSON.parse(text).issues; } catch { throw new Error(text.trim()); }
  const error = new Error(issues.map((one) => (one.fix ? `${one.message}; ${one.fix}` : one.message)).join("\n"));
  error.status = response.status;
  throw error;
}

/** Follows the board: `hear(name, version, piece)` for every event; comes back by itself when the line breaks. */
export function follow(hear) {
  const source = new EventSource(`/api/events?who=${encodeURIComponent(who())}`);
  const names = ["state", "answer", "around", "controls", "sections", "pins", "relaxations", "reason", "replay", "worth", "progress", "failure", "done", "people"];
  for (const name of names) {
    source.addEventListener(name, (event) => { const { version, piece } = JSON.parse(event.data); hear(name, version, piece); });
  }
  source.addEventListener("hello", (event) => hear("hello", 0, JSON.parse(event.data)));
  source.addEventListener("error", () => hear("lost", 0, null));
  return source;
}

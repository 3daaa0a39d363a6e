// api.js: asking the agent, and being told that there is something new.

export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `the agent answered ${status}`);
    this.status = status;
    this.position = body.position;
  }
}

// Arguments that are empty are left out.
export function address(path, args) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(args ?? {}))
    if (value !== undefined && value !== null && value !== "") search.set(key, value);
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export async function get(path, args, signal) {
  let answer;
  try {
    answer = await fetch(address(path, args), { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { error: "the agent does not answer: has it ended?" });
  }
  if (answer.ok) return answer.json();
  const text = await answer.text();
  let body = { error: text.trim() };
  try { body = JSON.parse(text); } catch { /* plain text */ }
  throw new Refused(answer.status, body);
}

// What is told: "tick" with the stream's data, "state" true while it is connected.
const listeners = new Set();
export function listen(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

let source = null;
export const stream = { connected: false, last: null };

// Only while it is looked at: a browser has six connections for a host, and each tab would keep one.
export function connect() {
  const follow = () => (document.visibilityState === "visible" ? open() : close());
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", close);
  addEventListener("pageshow", follow);
  follow();
}

function close() {
  source?.close();
  source = null;
}

function open() {
  if (source) return;
  source = new EventSource("/api/stream");
  source.addEventListener("open", () => tell("state", (stream.connected = true)));
  source.addEventListener("error", () => tell("state", (stream.connected = false)));
  source.addEventListener("tick", (event) => {
    stream.last = JSON.parse(event.data);
    tell("tick", stream.last);
  });
}

function tell(kind, data) {
  for (const fn of listeners) fn(kind, data);
}

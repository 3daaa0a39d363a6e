// app.js: the frame around the views: which one the address names, time range, theme, live or paused.
import { connect, get, listen, stream } from "./api.js";
import { announce, code, empty, h, put } from "./dom.js";
import { bytes, clock, count, date } from "./format.js";
import * as live from "./live.js";
import * as traces from "./traces.js";
import * as trace from "./trace.js";
import * as series from "./series.js";
import * as changes from "./changes.js";
import * as agent from "./agent.js";

const VIEWS = { live, traces, trace, series, changes, agent };
const NAV = [["live", "Live"], ["traces", "Traces"], ["series", "Series"], ["changes", "Changes"], ["agent", "Agent"]];
const RANGES = [["30s", 30], ["1m", 60], ["5m", 300], ["15m", 900], ["30m", 1800], ["all", 0]];
const KEPT = ["last", "from", "to"]; // what goes along from view to view

const main = document.getElementById("main");
let info = null, skew = 0, place = read(), shown = null, paused = false, due = false, broken = false;

// What is shown where nobody asked for a time; "now" is the last half minute.
function usual() {
  return info?.recording ? "all" : place.view === "live" ? "30s" : "5m";
}

// ---- addresses ----

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; } // typed by hand, or cut
}

function read() {
  const [path, search] = (location.hash.slice(1) || "/live").split("?");
  const [, view, ...rest] = path.split("/");
  return { view: VIEWS[view] ? view : "live", rest: rest.map(decoded), params: Object.fromEntries(new URLSearchParams(search)) };
}

export function href(view, params = {}, rest = []) {
  const search = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== undefined && v !== null && v !== "") search.set(k, v);
  const text = search.toString();
  return `#/${[view, ...rest.map(encodeURIComponent)].join("/")}${text ? `?${text}` : ""}`;
}

function kept() {
  return Object.fromEntries(KEPT.filter((k) => place.params[k]).map((k) => [k, place.params[k]]));
}

const context = {
  get info() { return info; },
  get params() { return place.params; },
  get rest() { return place.rest; },
  get paused() { return paused; },
  // Others of these; undefined takes one away.
  set(params, replace) {
    const next = href(place.view, { ...place.params, ...params }, place.rest);
    if (replace) history.replaceState(null, "", next);
    else if (next !== location.hash) history.pushState(null, "", next);
    arrive();
  },
  go(view, params, rest) { location.hash = href(view, { ...kept(), ...params }, rest); },
  href(view, params, rest) { return href(view, { ...kept(), ...params }, rest); },
  // Microseconds. `rolls`: it moves on with time.
  range() {
    const { from, to, last } = place.params;
    if (from && to) return { from: Number(from), to: Number(to), rolls: false };
    const oldest = info.oldest_us || info.now_us - 60e6;
    const end = info.recording ? (info.newest_us || info.now_us) + 1000 : Date.now() * 1000 + skew;
    const seconds = RANGES.find(([name]) => name === (last ?? usual()))?.[1] ?? 300;
    const length = end - oldest;
    if (!seconds) return { from: oldest - Math.max(length * 0.01, 10), to: end, rolls: !info.recording };
    return { from: end - seconds * 1e6, to: end, rolls: !info.recording };
  },
  // The view anew.
  again() { shown?.mounted.leave?.(); shown = null; arrive(); },
  now() { return info.recording ? info.newest_us : Date.now() * 1000 + skew; },
  zoom(from, to, more) { context.set({ from: Math.floor(from), to: Math.ceil(to), last: undefined, ...more }); },
};

// ---- tools ----

function theme(to) {
  const root = document.documentElement;
  if (to) { root.dataset.theme = to; localStorage.setItem("theme", to); }
  else { delete root.dataset.theme; localStorage.removeItem("theme"); }
  tools();
}

function isDark() {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function tools() {
  const { last, from } = place.params;
  const current = from ? "" : last ?? usual();
  put(document.getElementById("tools"),
    h("label", { class: "range" }, h("span", { class: "hidden-text" }, "Time range"),
      h("select", { id: "range", onchange: (e) => context.set({ last: e.target.value, from: undefined, to: undefined }) },
        from && h("option", { value: "", selected: true }, "zoomed in"),
        RANGES.map(([name, seconds]) => h("option", { value: name, selected: name === current }, seconds ? `last ${name}` : "everything")))),
    from && h("button", { class: "tool", id: "unzoom", onclick: () => context.set({ from: undefined, to: undefined, min: undefined, max: undefined }) }, "zoom out"),
    !info?.recording && h("button", { class: "tool", id: "pause", "aria-pressed": String(paused), title: "Space", onclick: pause }, paused ? "▶ go on" : "❚❚ pause"),
    h("button", { class: "tool", id: "theme", "aria-label": isDark() ? "Light colours" : "Dark colours", onclick: () => theme(isDark() ? "light" : "dark") }, isDark() ? "☀" : "☾"));
}

function pause() {
  paused = !paused;
  announce(paused ? "paused" : "live");
  tools();
  foot();
  if (!paused) refresh();
}

function nav() {
  put(document.getElementById("nav"), NAV.map(([view, title]) =>
    h("a", { href: href(view, kept()), "aria-current": place.view === view || (view === "traces" && place.view === "trace") ? "page" : undefined }, title)));
}

function foot() {
  if (!info) return;
  const s = info.store;
  const state = info.recording ? ["recording", info.recording.split("/").at(-1)] : [stream.connected ? (paused ? "paused" : "live") : "not connected", info.host];
  put(document.getElementById("foot"),
    h("span", { class: `state ${stream.connected ? (paused || info.recording ? "still" : "on") : "off"}` }, state[0]), h("span", null, state[1]),
    h("span", null, `${count(s.spans)} spans in ${count(s.traces)} traces`), h("span", null, `${bytes(s.bytes)} of ${bytes(s.size)}`),
    s.left_spans ? h("span", null, `${count(s.left_spans)} made room`) : null,
    info.oldest_us ? h("span", null, info.recording ? date(info.oldest_us) : `since ${clock(info.oldest_us)}`) : null,
    h("span", { class: "version" }, `tangotrace ${info.version}`));
}

// ---- life ----

async function arrive() {
  const before = shown;
  place = read();
  broken = false;
  main.setAttribute("aria-busy", "true");
  nav();
  tools();
  const view = VIEWS[place.view];
  if (before?.view === place.view && before.rest === place.rest.join("/") && before.mounted.update) {
    await refresh();
    main.setAttribute("aria-busy", "false");
    return;
  }
  before?.mounted.leave?.();
  const here = (shown = { view: place.view, rest: place.rest.join("/"), mounted: {} });
  document.title = `${view.title} · tangotrace`;
  put(main);
  try {
    const mounted = await view.mount(main, context);
    here.mounted = mounted ?? {};
  } catch (error) {
    if (here === shown) fail(error);
    return;
  }
  if (here !== shown) { // somebody went on meanwhile
    here.mounted.leave?.();
    return;
  }
  if (before && before.view !== place.view) (here.mounted.focus ?? main).focus({ preventScroll: true });
  announce(view.title);
  await refresh();
  if (here === shown) main.setAttribute("aria-busy", "false");
}

function fail(error) {
  if (error.name === "AbortError") return;
  main.setAttribute("aria-busy", "false");
  if (!(error.status >= 0)) console.error(error);
  broken = error.status === 0; // nobody answered: it goes on as soon as somebody does
  if (broken) { shown?.mounted.leave?.(); shown = null; }
  put(main, empty("That did not work", error.message, error.status === 404 ? h("a", { href: href("traces", kept()) }, "Search for traces") : h("button", { class: "tool", onclick: () => arrive() }, "Try again")));
}

// One at a time; what comes meanwhile is done once, after it.
let running = null;
function refresh() {
  due = true;
  running ??= (async () => {
    while (due) {
      due = false;
      const at = shown;
      try {
        await at?.mounted.update?.();
      } catch (error) {
        if (at === shown) fail(error);
      }
    }
    running = null;
  })();
  return running;
}

async function look() {
  info = await get("/api/info");
  skew = info.now_us - Date.now() * 1000;
  foot();
}

listen(async (kind) => {
  if (kind === "state") foot();
  if (broken && stream.connected) { arrive(); return; }
  if (kind !== "tick") return;
  try { await look(); } catch { return; }
  const place_ = VIEWS[shown?.view];
  if (!paused && !info.recording && place_?.live && (context.range().rolls || place.view === "trace")) refresh();
});

document.addEventListener("keydown", (e) => {
  if (e.target.closest("input,select,textarea") || e.ctrlKey || e.metaKey || e.altKey) return;
  const number = "12345".indexOf(e.key);
  if (e.key === " " && !e.target.closest("button,a,[role=button],[role=treegrid]") && !info?.recording) { e.preventDefault(); pause(); }
  else if (e.key === "/") { e.preventDefault(); document.querySelector("[data-find]")?.focus(); }
  else if (number >= 0 && e.key.length === 1) context.go(NAV[number][0], {});
  else if (e.key === "?") help();
});

function help() {
  const dialog = h("dialog", { "aria-label": "Keys", onclose: () => dialog.remove() }, h("h2", null, "Keys"),
    h("dl", { class: "keys" }, [["1 … 5", "the views"], ["/", "to the search"], ["space", "pause and go on"], ["↑ ↓", "in a trace: the span before, the next"], ["← →", "in a trace: close, open"], ["Enter", "details of the span"], ["n, N", "next and previous that was found"], ["c", "critical path"], ["+ − 0", "zoom in, out, all of the trace"]].map(([k, v]) => [h("dt", null, code(k)), h("dd", null, v)])),
    h("button", { class: "tool", onclick: () => dialog.close() }, "Close"));
  document.body.append(dialog);
  dialog.showModal();
}

document.getElementById("skip").addEventListener("click", (e) => { e.preventDefault(); main.focus(); });
addEventListener("hashchange", arrive); // going back as well: addresses differ behind the "#" only
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tools);
const saved = localStorage.getItem("theme");
if (saved) document.documentElement.dataset.theme = saved;

try {
  await look();
  connect();
  await arrive();
} catch (error) {
  nav();
  fail(error);
}

// One socket a page: subscribes to the rooms its panels name, tells them "live", pauses with the tab, comes back by itself.
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30000;
const HANDSHAKE_MS = 10000;
let socket = null, wait = FIRST_WAIT_MS, timer = 0, deadline = 0;
const heard = new Set();

const panels = () => [...document.querySelectorAll("[data-live]")];
const rooms = () => new Set(panels().map((panel) => panel.dataset.live));

export function connect() {
  clearTimeout(timer);
  if (socket || document.hidden || !rooms().size) return;
  const opened = socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  // A handshake that nobody answers would otherwise be waited for as long as the page is open.
  deadline = setTimeout(() => opened.close(), HANDSHAKE_MS);
  opened.addEventListener("open", () => {
    clearTimeout(deadline);
    wait = FIRST_WAIT_MS;
    for (const room of rooms()) opened.send(JSON.stringify({ type: "subscribe", room }));
    show(true);
  });
  opened.addEventListener("message", ({ data }) => receive(JSON.parse(data)));
  opened.addEventListener("close", () => lost(opened));
}

function receive(frame) {
  if (frame.type === "ping") socket?.send('{"type": "pong"}');
  if (frame.type === "subscribed") catchUp(frame.room);
  else tell(panels().filter((panel) => panel.dataset.live === frame.room), frame);
}

function tell(told, frame) {
  for (const panel of told) panel.dispatchEvent(new CustomEvent("live", { bubbles: true, detail: frame }));
}

function lost(closed) {
  clearTimeout(deadline);
  if (socket !== closed) return;
  socket = null;
  show(false);
  if (document.hidden) return;
  // Spread out, so that a restarted server is not met by everyone at once.
  timer = setTimeout(connect, wait * (0.5 + Math.random()));
  wait = Math.min(wait * 2, LONGEST_WAIT_MS);
}

// What happened while nobody listened is fetched once: since the page was made, or since the last socket broke.
// The bell is as old as its page at first, and that is young enough.
function catchUp(room) {
  const isFirst = !heard.has(room);
  heard.add(room);
  tell(panels().filter((panel) => panel.dataset.live === room && !(isFirst && "bell" in panel.dataset)));
}

function show(live) {
  for (const indicator of document.querySelectorAll("[data-live-indicator]")) {
    indicator.hidden = false;
    for (const word of indicator.querySelectorAll("[data-live-word]")) word.hidden = (word.dataset.liveWord === "live") !== live;
  }
  for (const state of document.querySelectorAll("[data-live-state]")) state.textContent = live ? state.dataset.liveText : state.dataset.idleText;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    socket?.close();
    return;
  }
  wait = FIRST_WAIT_MS;
  connect();
});

document.addEventListener("htmx:after:swap", connect);

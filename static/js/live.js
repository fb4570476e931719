// One socket a page: subscribes to the rooms its panels name, tells them "live", pauses with the tab, comes back by itself.
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30000;
let socket = null, wait = FIRST_WAIT_MS, timer = 0, missed = false;

const panels = () => [...document.querySelectorAll("[data-live]")];
const rooms = () => new Set(panels().map((panel) => panel.dataset.live));

export function connect() {
  clearTimeout(timer);
  if (socket || document.hidden || !rooms().size) return;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket.addEventListener("open", () => {
    wait = FIRST_WAIT_MS;
    for (const room of rooms()) socket.send(JSON.stringify({ type: "subscribe", room }));
    show(true);
    if (missed) catchUp();
  });
  socket.addEventListener("message", ({ data }) => receive(JSON.parse(data)));
  socket.addEventListener("close", lost);
}

function receive(frame) {
  if (frame.type === "ping") socket?.send('{"type": "pong"}');
  for (const panel of panels()) {
    if (panel.dataset.live === frame.room) panel.dispatchEvent(new CustomEvent("live", { bubbles: true, detail: frame }));
  }
}

function lost() {
  socket = null;
  missed = true;
  show(false);
  if (document.hidden) return;
  // Spread out, so that a restarted server is not met by everyone at once.
  timer = setTimeout(connect, wait * (0.5 + Math.random()));
  wait = Math.min(wait * 2, LONGEST_WAIT_MS);
}

// What happened while nobody listened is fetched once.
function catchUp() {
  missed = false;
  for (const panel of panels()) panel.dispatchEvent(new CustomEvent("live", { bubbles: true }));
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

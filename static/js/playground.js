import { showCode } from "./playground/code.js";
import { Columns } from "./playground/columns.js";
import { Prompt } from "./playground/prompt.js";
import { pass } from "./playground/stream.js";

const STREAMED = { stream: true, stream_options: { include_usage: true } };
const form = document.getElementById("playground");
const columns = new Columns(form);
const prompt = new Prompt(form);
let isRunning = false;

function changed() {
  columns.mark();
  prompt.mark();
}

function keep() {
  const kept = { ...prompt.kept(), models: columns.names() };
  sessionStorage.setItem(form.dataset.keep, JSON.stringify(kept));
}

function restore() {
  const kept = JSON.parse(sessionStorage.getItem(form.dataset.keep) ?? "null");
  if (!kept) return;
  prompt.restore(kept);
  if (!new URL(location.href).searchParams.has("model")) columns.restore(kept.models);
}

async function run() {
  if (isRunning || !prompt.isValid()) return;
  const asked = columns.all();
  for (const one of asked) one.begin();
  mark(true);
  try {
    const token = await pass(form);
    await Promise.all(asked.map((one) => one.run({ ...prompt.body(one.model), ...STREAMED }, token)));
  } catch (error) {
    for (const one of asked) one.fail(error);
  } finally {
    mark(false);
  }
}

function mark(running) {
  isRunning = running;
  document.querySelector("[data-stop]").hidden = !running;
  document.querySelector("[data-run]").hidden = running;
}

function take(column) {
  const calls = column.asked;
  if (calls.length) {
    prompt.addCalls(column.answer, calls).focus();
    return;
  }
  prompt.add("assistant", column.answer);
  prompt.add().focus();
}

function code(column) {
  showCode(document.getElementById("playground-code"), prompt.body(column.model || "echo/fast"), location.origin);
}

const ACTS = {
  "[data-add-message]": () => prompt.add().focus(),
  "[data-remove-message]": (button) => prompt.remove(button.closest("[data-message]")),
  "[data-add-model]": () => columns.add().focus(),
  "[data-remove-model]": (button) => columns.remove(columns.of(button)),
  "[data-code]": (button) => code(columns.of(button)),
  "[data-take]": (button) => take(columns.of(button)),
  "[data-stop]": () => columns.all().forEach((one) => one.stop()),
};

document.addEventListener("click", (event) => {
  for (const [what, act] of Object.entries(ACTS)) {
    const button = event.target.closest(what);
    if (!button) continue;
    act(button);
    changed();
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
form.addEventListener("change", changed);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.contains(event.target)) run();
});
addEventListener("pagehide", keep);

restore();
prompt.showSchema();
changed();

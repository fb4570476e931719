import { snippets } from "./playground/code.js";
import { Column } from "./playground/column.js";
import { Prompt } from "./playground/prompt.js";
import { Refused } from "./playground/stream.js";

const MOST = 4;
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const form = document.getElementById("playground");
const answers = form.querySelector("[data-answers]");
const prompt = new Prompt(form);
const columns = new Map();
let isRunning = false;

const all = () => [...answers.children].map((root) => columns.get(root));

function adopt(root) {
  columns.set(root, new Column(root, { broken: form.dataset.broken, request: form.dataset.request }));
}

function addColumn(model = "") {
  const root = document.getElementById("playground-column").content.cloneNode(true).firstElementChild;
  root.querySelector("[name=model]").value = model;
  answers.append(root);
  adopt(root);
  changed();
  return root;
}

function removeColumn(root) {
  columns.get(root).stop();
  columns.delete(root);
  root.remove();
}

/** The address names the models, so that it can be kept and sent; what is typed outlives a reload in this tab alone. */
function changed() {
  const address = new URL(location.href);
  address.searchParams.delete("model");
  for (const { model } of all()) if (model) address.searchParams.append("model", model);
  history.replaceState(null, "", address);
  document.querySelector("[data-add-model]").disabled = answers.children.length >= MOST;
  for (const remove of answers.querySelectorAll("[data-remove-model]")) remove.disabled = answers.children.length < 2;
  for (const remove of form.querySelectorAll("[data-remove-message]")) remove.disabled = prompt.list.children.length < 2;
}

function keep() {
  const plain = Object.fromEntries([...form.querySelectorAll("[data-kept]")].map((field) => [field.name, field.value]));
  const kept = { plain, messages: prompt.messages(), models: all().map(({ model }) => model) };
  sessionStorage.setItem(form.dataset.keep, JSON.stringify(kept));
}

function restore() {
  const kept = JSON.parse(sessionStorage.getItem(form.dataset.keep) ?? "null");
  if (!kept) return;
  for (const [name, value] of Object.entries(kept.plain)) if (form.elements[name]) form.elements[name].value = value;
  prompt.list.replaceChildren();
  for (const { role, content } of kept.messages) prompt.add(role, content);
  if (new URL(location.href).searchParams.has("model")) return;
  answers.replaceChildren();
  for (const model of kept.models.slice(0, MOST)) addColumn(model);
}

/** One minute's way to the gateway; the page holds it no longer than this call of Run. */
async function pass() {
  const headers = { "x-csrftoken": form.elements.csrfmiddlewaretoken.value };
  const answer = await fetch(form.dataset.pass, { method: "POST", headers, redirect: "manual" });
  if (!answer.ok) throw new Refused(form.dataset.denied, "", "");
  return (await answer.json()).token;
}

async function run() {
  if (isRunning || !prompt.isValid()) return;
  const asked = all();
  for (const one of asked) one.begin();
  mark(true);
  try {
    const token = await pass();
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

function showCode(column) {
  const dialog = document.getElementById("playground-code");
  const texts = snippets(prompt.body(column.model || "echo/fast"), location.origin);
  dialog.querySelectorAll(".code").forEach((block, place) => {
    block.querySelector("code").textContent = texts[place];
    block.querySelector("[data-copy]").dataset.copy = texts[place];
  });
  dialog.showModal();
}

function take(column) {
  prompt.add("assistant", column.answer);
  prompt.add().focus();
  changed();
}

const ACTS = {
  "[data-add-message]": () => prompt.add().focus(),
  "[data-remove-message]": (button) => prompt.remove(button.closest("[data-message]")),
  "[data-add-model]": () => addColumn().querySelector("[name=model]").focus(),
  "[data-remove-model]": (button) => removeColumn(button.closest("[data-column]")),
  "[data-code]": (button) => showCode(columns.get(button.closest("[data-column]"))),
  "[data-take]": (button) => take(columns.get(button.closest("[data-column]"))),
  "[data-stop]": () => all().forEach((one) => one.stop()),
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

for (const root of answers.children) adopt(root);
restore();
prompt.showSchema();
changed();

import { failure, toast } from "./toasts.js";

const dialog = document.getElementById("palette");
const input = dialog?.querySelector("input");
const list = dialog?.querySelector("[role=listbox]");
const none = dialog?.querySelector(".none");
let commands = null;

const plain = (text) => text.toLocaleLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");

async function open() {
  if (dialog.open) return;
  dialog.showModal();
  input.value = "";
  commands ??= await load();
  draw();
}

async function load() {
  const response = await fetch(dialog.dataset.source, { headers: { accept: "application/json" } }).catch(() => null);
  if (!response?.ok) {
    toast(failure(response?.status), "bad");
    return null;
  }
  return (await response.json()).commands;
}

function draw() {
  const words = plain(input.value).split(/\s+/).filter(Boolean);
  const found = (commands ?? []).filter(({ title, section }) => words.every((word) => plain(`${title} ${section}`).includes(word)));
  list.replaceChildren(...found.map(option));
  none.hidden = found.length > 0;
  select(list.firstElementChild);
}

function option({ title, section, href, icon }, index) {
  const line = document.createElement("a");
  Object.assign(line, { href, id: `palette-${index}`, role: "option", tabIndex: -1 });
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  shape.setAttribute("class", "i");
  shape.setAttribute("viewBox", "0 0 24 24");
  shape.innerHTML = icon; // our own server's icon shapes
  const hint = document.createElement("small");
  hint.textContent = section;
  line.append(shape, title, hint);
  line.addEventListener("mousemove", () => select(line));
  return line;
}

function select(line) {
  for (const other of list.children) other.setAttribute("aria-selected", String(other === line));
  if (!line) return input.removeAttribute("aria-activedescendant");
  input.setAttribute("aria-activedescendant", line.id);
  line.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const lines = [...list.children];
  const at = lines.findIndex((line) => line.ariaSelected === "true");
  if (lines.length) select(lines.at((at + step) % lines.length));
}

if (dialog) {
  if (!/Mac|iP(hone|ad)/.test(navigator.platform)) document.querySelector("[data-shortcut]").textContent = "Ctrl K";
  document.querySelector("[data-palette]")?.addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  input.addEventListener("input", draw);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter") list.querySelector("[aria-selected=true]")?.click();
    else return;
    event.preventDefault();
  });
}

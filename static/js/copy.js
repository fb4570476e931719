import { copiedWord, failure, toast } from "./toasts.js";

const SHOWN_MS = 1600;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  try {
    await write(button.dataset.copy);
  } catch {
    toast(failure(500), "bad");
    return;
  }
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, SHOWN_MS);
  announce(button);
});

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain http on a name other than localhost has no clipboard object.
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "sr" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copy refused");
}

function announce(button) {
  const label = button.getAttribute("aria-label");
  button.setAttribute("aria-label", copiedWord());
  setTimeout(() => button.setAttribute("aria-label", label), SHOWN_MS);
}

// Buttons name their dialog with command and commandfor; browsers that do not know these yet get them here.
if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (!dialog) return;
    if (button.getAttribute("command") === "show-modal") dialog.showModal();
    if (button.getAttribute("command") === "close") dialog.close();
  });
}

document.addEventListener("click", (event) => {
  // The backdrop is the dialog itself, outside its content's box.
  if (event.target instanceof HTMLDialogElement && outside(event.target, event)) event.target.close();
});

function outside(dialog, { clientX, clientY, detail }) {
  const box = dialog.getBoundingClientRect();
  const within = clientX >= box.x && clientX <= box.right && clientY >= box.y && clientY <= box.bottom;
  return detail > 0 && !within;
}

// Destructive forms stay disabled until the name is typed; the server asks again.
for (const form of document.querySelectorAll("form[data-confirm-name]")) {
  const button = form.querySelector("[type=submit]");
  const update = () => { button.disabled = form.elements.confirm.value.trim() !== form.dataset.confirmName; };
  form.addEventListener("input", update);
  update();
}

document.querySelector("[data-focus]")?.focus();

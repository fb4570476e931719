// Menus are <details>: they open without this. Here they close on Escape, on a click elsewhere and when focus leaves.
const open = () => document.querySelectorAll("details[data-menu][open]");

document.addEventListener("click", (event) => {
  for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("focusin", (event) => {
  for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  for (const menu of open()) {
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") step(menu, event);
  }
});

function step(menu, event) {
  const lines = [...menu.querySelectorAll(".item")];
  if (!lines.length) return;
  const at = lines.indexOf(document.activeElement);
  const next = event.key === "ArrowDown" ? at + 1 : at < 0 ? -1 : at - 1;
  lines.at(next % lines.length).focus();
  event.preventDefault();
}

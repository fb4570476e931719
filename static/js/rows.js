// J and K walk the rows of a table, Enter opens one. Letters typed into fields are left alone.
const typing = (target) => target.closest("input, textarea, select, [contenteditable], dialog");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const key = event.key.toLowerCase();
  if (key === "j" || key === "k") walk(key === "j" ? 1 : -1, event);
  if (key === "enter") follow(event.target.closest("tr[data-href]"), event);
});

function walk(step, event) {
  const rows = [...document.querySelectorAll("table[data-row-keys] tbody tr")];
  if (!rows.length) return;
  event.preventDefault();
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
  for (const row of rows) row.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function follow(row, event) {
  if (row !== event.target) return;
  location.assign(row.dataset.href);
}

// Times of day in the reader's zone, ages kept current. Latin digits in every language, as the server writes them.
const language = `${document.documentElement.lang}-u-nu-latn`;
const ages = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "long" });
const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];

function age(moment) {
  const seconds = (moment - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return unit === "second" && Math.abs(seconds) < 60 ? ages.format(0, "second") : ages.format(Math.trunc(seconds / size), unit);
}

export function refresh(root = document) {
  for (const element of root.querySelectorAll("time[data-ago], time[data-clock]")) {
    const moment = new Date(element.dateTime);
    element.title = full.format(moment);
    element.textContent = "clock" in element.dataset ? clock.format(moment) : age(moment);
  }
}

refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 30000);
document.addEventListener("htmx:after:swap", () => refresh());

const region = document.getElementById("toasts");
const LASTING_MS = 6000;

/** Shows a notice; errors stay until dismissed. */
export function toast(text, tone = "info") {
  const mold = document.getElementById("toast");
  if (!region || !mold || !text) return;
  const notice = mold.content.firstElementChild.cloneNode(true);
  notice.className = `toast ${tone}`;
  notice.setAttribute("role", tone === "bad" ? "alert" : "status");
  notice.querySelector("[data-text]").textContent = text;
  region.append(notice);
  if (tone !== "bad") setTimeout(() => notice.remove(), LASTING_MS);
}

/** What the page has to say about a failed request, in its own language. */
export function failure(status) {
  const words = region?.dataset ?? {};
  if (!status) return words.offline;
  if (status === 429) return words.limited;
  if (status === 401 || status === 403) return words.denied;
  return words.failed;
}

export const copiedWord = () => region?.dataset.copied;

region?.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast").remove());

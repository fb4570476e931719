import { failure, toast } from "./toasts.js";

// The form works by itself; this only spares the reload.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-theme-switch]");
  const theme = form && event.submitter?.value;
  if (!theme) return;
  event.preventDefault();
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-switch] button")) button.setAttribute("aria-pressed", String(button.value === theme));
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const response = await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (!response || response.status >= 400) toast(failure(response?.status), "bad");
});

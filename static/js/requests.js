import "htmx.org";
import { failure, toast } from "./toasts.js";

// A failed second request leaves the page as it was and says so; 422 brings the form back with its errors.
document.addEventListener("htmx:before:swap", (event) => {
  const status = event.detail.ctx?.response?.status ?? 200;
  if (status < 400 || status === 422) return;
  event.preventDefault();
  toast(failure(status), "bad");
});

document.addEventListener("htmx:error", () => toast(failure(0), "bad"));

import "./copy.js";
import "./dialogs.js";
import "./menus.js";
import "./palette.js";
import "./rows.js";
import "./selects.js";
import "./theme.js";
import "./time.js";
import "./toasts.js";

// A network that changes under the page breaks off what is under way; a page without its scripts would look alive and be deaf.
const AGAIN_MS = [200, 1000, 3000, 10000];
async function load(part) {
  for (const pause of AGAIN_MS) {
    try {
      return await part();
    } catch {
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }
  return part();
}

// Only pages with a second request carry htmx, only live panels a socket.
const asks = document.querySelector("[hx-get], [hx-post], [hx-put], [hx-patch], [hx-delete]");
const requests = asks && load(() => import("./requests.js"));
if (document.querySelector("[data-bell]")) load(() => import("./bell.js"));
// A frame says "load again": who hears it before htmx is there hears it in vain.
if (document.querySelector("[data-live]")) Promise.all([load(() => import("./live.js")), requests]).then(([live]) => live.connect());
if (document.querySelector("[data-add-row]")) load(() => import("./formsets.js"));
if (document.querySelector("form[data-passkey]")) load(() => import("./passkeys.js"));

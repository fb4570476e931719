import "./copy.js";
import "./dialogs.js";
import "./menus.js";
import "./palette.js";
import "./rows.js";
import "./selects.js";
import "./theme.js";
import "./time.js";
import "./toasts.js";

// Only pages with a second request carry htmx, only live panels a socket.
const requests = document.querySelector("[hx-get], [hx-post], [hx-put], [hx-patch], [hx-delete]") && import("./requests.js");
if (document.querySelector("[data-bell]")) import("./bell.js");
// A frame says "load again": who hears it before htmx is there hears it in vain.
if (document.querySelector("[data-live]")) Promise.all([import("./live.js"), requests]).then(([live]) => live.connect());
if (document.querySelector("form[data-passkey]")) import("./passkeys.js");

import { toast } from "./toasts.js";

// A form with data-passkey asks the browser for a passkey before it is sent. Bytes travel as base64url.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function question({ publicKey }) {
  const listed = (keys) => keys?.map((key) => ({ ...key, id: bytes(key.id) }));
  const asked = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (asked.user) asked.user = { ...asked.user, id: bytes(asked.user.id) };
  if (asked.excludeCredentials) asked.excludeCredentials = listed(asked.excludeCredentials);
  if (asked.allowCredentials) asked.allowCredentials = listed(asked.allowCredentials);
  return { publicKey: asked };
}

function answer({ id, rawId, type, authenticatorAttachment, response, getClientExtensionResults }, credential) {
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const found = parts.filter((name) => response[name]).map((name) => [name, text(response[name])]);
  const transports = response.getTransports?.();
  return {
    id, type, authenticatorAttachment,
    rawId: text(rawId),
    response: { ...Object.fromEntries(found), ...(transports && { transports }) },
    clientExtensionResults: getClientExtensionResults.call(credential),
  };
}

async function options(form) {
  if (!form.dataset.source) return JSON.parse(form.querySelector("script[type='application/json']").textContent);
  const response = await fetch(form.dataset.source, { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return (await response.json()).request_options;
}

async function ask(form) {
  const credential = await navigator.credentials[form.dataset.passkey](question(await options(form)));
  form.elements.credential.value = JSON.stringify(answer(credential, credential));
  form.submit();
}

// The button waits for us: sent before, the form would carry nothing.
for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.querySelector("[type=submit]").disabled = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!window.PublicKeyCredential) return toast(form.dataset.unsupported, "bad");
    ask(form).catch((error) => toast(error.name === "SecurityError" ? form.dataset.unsupported : form.dataset.refused, "bad"));
  });
}

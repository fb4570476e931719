// One call of the gateway: the answer's events as they arrive, in OpenAI's form.
const DATA = "data:";

export class Refused extends Error {
  constructor(message, code, requestId) {
    super(message);
    this.code = code;
    this.requestId = requestId;
  }
}

/** One minute's way to the gateway; the page holds it no longer than it takes to begin the calls of one Run. */
export async function pass(form) {
  const headers = { "x-csrftoken": form.elements.csrfmiddlewaretoken.value };
  const answer = await fetch(form.dataset.pass, { method: "POST", headers, redirect: "manual" });
  if (!answer.ok) throw new Refused(form.dataset.denied, "", "");
  return (await answer.json()).token;
}

/** Yields `{ event }` for each chunk, after one `{ answer }` with the response itself. */
export async function* ask(body, token, signal) {
  const answer = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
    signal,
  });
  const requestId = answer.headers.get("x-request-id") ?? "";
  if (!answer.ok) throw refusal(await answer.json().catch(() => ({})), answer.status, requestId);
  yield { answer };
  for await (const line of lines(answer.body)) {
    if (!line.startsWith(DATA)) continue;
    const data = line.slice(DATA.length).trim();
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw refusal(event, answer.status, requestId);
    yield { event };
  }
}

function refusal({ error = {} }, status, requestId) {
  return new Refused(error.message ?? `HTTP ${status}`, error.code ?? error.type ?? String(status), requestId);
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
  if (rest) yield rest;
}

// One model's answer while it arrives, and what it took.
import { spoken } from "./prompt.js";
import { Refused, ask } from "./stream.js";

export class Column {
  constructor(root, words) {
    this.root = root;
    this.words = words;
    this.calls = new Map();
  }

  get model() {
    return this.root.querySelector("[name=model]").value.trim();
  }

  get answer() {
    return this.root.querySelector("[data-said]").textContent;
  }

  /** What it called, as the next request says it; a model that ended early may have said half of one. */
  get asked() {
    return [...this.calls.values()].map(({ id, name, given }) => ({ id, type: "function", function: { name, arguments: given } }));
  }

  /** After `begin`; ends by itself, by `stop`, or in words about what went wrong. */
  async run(body, token) {
    const startedAt = performance.now();
    try {
      for await (const { answer, event } of ask(body, token, this.control.signal)) {
        if (answer) this.meet(answer);
        else this.hear(event, performance.now() - startedAt);
      }
      this.state = "done";
    } catch (error) {
      this.fail(error);
    } finally {
      // Measured here like the first token: the gateway's own time leaves out the way to this page.
      this.show("total", duration(performance.now() - startedAt));
    }
  }

  set state(name) {
    this.root.dataset.state = name;
    this.root.querySelector("[data-answer]").setAttribute("aria-busy", String(name === "waiting" || name === "running"));
    this.root.querySelector("[data-take]").disabled = !(name === "done" && (this.answer || this.calls.size));
  }

  stop() {
    this.control?.abort();
  }

  begin() {
    this.control = new AbortController();
    this.calls.clear();
    for (const name of ["said", "thought", "calls"]) this.root.querySelector(`[data-${name}]`).replaceChildren();
    for (const figure of this.root.querySelectorAll("[data-figure]")) figure.textContent = "";
    this.root.querySelector("[data-details]").hidden = true;
    this.root.querySelector("[data-code-of-error]").textContent = "";
    this.state = "waiting";
  }

  meet(answer) {
    const [provider, model] = ["x-brokle-provider", "x-brokle-model"].map((name) => answer.headers.get(name));
    this.show("by", [provider, model].filter(Boolean).join("/"));
    this.link(answer.headers.get("x-request-id"));
  }

  hear(event, milliseconds) {
    const delta = event.choices?.[0]?.delta ?? {};
    if (delta.content || delta.reasoning_content || delta.tool_calls) this.first(milliseconds);
    if (delta.content) this.root.querySelector("[data-said]").append(delta.content);
    if (delta.reasoning_content) this.root.querySelector("[data-thought]").append(delta.reasoning_content);
    for (const call of delta.tool_calls ?? []) this.hearCall(call);
    if (event.usage) this.used(event.usage);
    if (event.brokle) this.told(event.brokle);
  }

  first(milliseconds) {
    if (this.root.dataset.state === "running") return;
    this.state = "running";
    this.show("first", duration(milliseconds));
  }

  hearCall({ index, id = "", function: called = {} }) {
    const known = this.calls.get(index) ?? { id: "", name: "", given: "", shown: this.addCall() };
    known.id ||= id;
    known.name += called.name ?? "";
    known.given += called.arguments ?? "";
    known.shown.textContent = spoken(known.name, known.given);
    this.calls.set(index, known);
  }

  addCall() {
    const block = document.createElement("pre");
    block.append(document.createElement("code"));
    this.root.querySelector("[data-calls]").append(block);
    return block.firstChild;
  }

  used({ prompt_tokens: input, completion_tokens: output }) {
    this.show("input", input?.toLocaleString("en") ?? "");
    this.show("output", output?.toLocaleString("en") ?? "");
  }

  told({ provider, model, cost_usd: cost, request_id: requestId }) {
    this.show("by", [provider, model].filter(Boolean).join("/"));
    this.show("cost", money(cost));
    this.link(requestId);
  }

  fail(error) {
    if (this.control.signal.aborted) {
      this.state = "stopped";
      return;
    }
    const isOurs = error instanceof Refused;
    this.root.querySelector("[data-error]").textContent = isOurs ? error.message : this.words.broken;
    this.root.querySelector("[data-code-of-error]").textContent = isOurs ? error.code : "";
    if (isOurs) this.link(error.requestId);
    this.state = "failed";
  }

  link(requestId) {
    if (!requestId) return;
    const link = this.root.querySelector("[data-details]");
    link.href = this.words.request.replace("req_0", encodeURIComponent(requestId));
    link.hidden = false;
  }

  figure(name) {
    return this.root.querySelector(`[data-figure="${name}"]`);
  }

  show(name, text) {
    this.figure(name).textContent = text;
  }
}

function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** To the last digit that is kept; at least cents. */
function money(usd) {
  const [whole, digits] = Number(usd ?? 0).toFixed(9).split(".");
  return `$${whole}.${digits.replace(/0+$/, "").padEnd(2, "0")}`;
}

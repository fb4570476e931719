// What the form says: the messages, and the request they make for a model.
export const spoken = (name, given) => `${name}(${given})`;

const NUMBERS = ["temperature", "max_tokens", "top_p", "seed"];

export class Prompt {
  constructor(form) {
    this.form = form;
    this.list = form.querySelector("[data-messages]");
    this.mold = document.getElementById("playground-message").content;
    this.resultMold = document.getElementById("playground-result").content;
    form.elements.response_format.addEventListener("change", () => this.showSchema());
    for (const name of ["tools", "schema"]) form.elements[name].addEventListener("input", () => this.check(name));
  }

  add(role = "user", content = "") {
    const row = this.mold.cloneNode(true).firstElementChild;
    row.querySelector("select").value = role;
    row.querySelector("textarea").value = content;
    this.list.append(row);
    return row.querySelector("textarea");
  }

  /** What a model called, and a field for what each tool gives back; the first of them. */
  addCalls(content, calls) {
    const said = this.addAsking(content, calls);
    const [first] = calls.map((call) => this.addResult(call));
    return first ?? said;
  }

  addAsking(content, calls) {
    const field = this.add("assistant", content);
    const row = field.closest("[data-message]");
    row.dataset.asked = JSON.stringify(calls);
    row.querySelector("select").disabled = true;
    field.required = false;
    for (const call of calls) row.querySelector("[data-calls]").append(shown(call));
    return field;
  }

  addResult(call, content = "") {
    const row = this.resultMold.cloneNode(true).firstElementChild;
    row.dataset.result = call.id;
    row.querySelector("[data-call]").textContent = spoken(call.function.name, call.function.arguments);
    row.querySelector("textarea").value = content;
    this.list.append(row);
    return row.querySelector("textarea");
  }

  /** Results go with the message that asked for them. */
  remove(row) {
    if (this.said().length < 2) return;
    for (const { id } of asked(row)) this.list.querySelector(`[data-result="${CSS.escape(id)}"]`)?.remove();
    row.remove();
  }

  said() {
    return [...this.list.children].filter((row) => !("result" in row.dataset));
  }

  /** What is typed outlives a reload, in this tab alone. */
  kept() {
    const fields = [...this.form.querySelectorAll("[data-kept]")].map((field) => [field.name, field.value]);
    return { plain: Object.fromEntries(fields), messages: this.messages() };
  }

  restore({ plain, messages }) {
    for (const [name, value] of Object.entries(plain)) if (this.form.elements[name]) this.form.elements[name].value = value;
    this.list.replaceChildren();
    const calls = new Map();
    for (const { role, content, tool_calls: called, tool_call_id: id } of messages) {
      for (const call of called ?? []) calls.set(call.id, call);
      if (called) this.addAsking(content ?? "", called);
      else if (id) this.addResult(calls.get(id), content);
      else this.add(role, content);
    }
  }

  mark() {
    const isAlone = this.said().length < 2;
    for (const remove of this.list.querySelectorAll("[data-remove-message]")) remove.disabled = isAlone;
  }

  messages() {
    return [...this.list.children].map((row) => {
      const content = row.querySelector("textarea").value;
      if ("result" in row.dataset) return { role: "tool", tool_call_id: row.dataset.result, content };
      const calls = asked(row);
      const said = { role: row.querySelector("select").value, content };
      return calls.length ? { ...said, content: content || null, tool_calls: calls } : said;
    });
  }

  showSchema() {
    const { response_format: format, schema } = this.form.elements;
    const isAsked = format.value === "json_schema";
    schema.closest(".field").hidden = !isAsked;
    schema.disabled = !isAsked;
  }

  check(name) {
    const field = this.form.elements[name];
    const wanted = name === "tools" ? Array.isArray : (value) => value && typeof value === "object";
    field.setCustomValidity(!field.value.trim() || wanted(parsed(field.value)) ? "" : this.form.dataset[`bad${name}`]);
  }

  isValid() {
    for (const name of ["tools", "schema"]) this.check(name);
    for (const field of this.form.querySelectorAll(":invalid")) field.closest("details")?.setAttribute("open", "");
    return this.form.reportValidity();
  }

  body(model) {
    const fields = this.form.elements;
    const system = fields.system.value.trim() ? [{ role: "system", content: fields.system.value }] : [];
    const body = { model, messages: [...system, ...this.messages()] };
    for (const name of NUMBERS) if (fields[name].value !== "") body[name] = Number(fields[name].value);
    const format = fields.response_format.value;
    if (format === "json_object") body.response_format = { type: format };
    if (format === "json_schema") body.response_format = { type: format, json_schema: named(fields.schema.value) };
    if (fields.tools.value.trim()) body.tools = parsed(fields.tools.value);
    return body;
  }
}

function asked(row) {
  return JSON.parse(row.dataset.asked ?? "[]");
}

function shown(call) {
  const block = document.createElement("pre");
  const code = document.createElement("code");
  code.textContent = spoken(call.function.name, call.function.arguments);
  block.append(code);
  return block;
}

/** A schema alone, or one with its name already. */
function named(text) {
  const schema = parsed(text);
  return schema && "schema" in schema && "name" in schema ? schema : { name: "answer", schema };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// What the form says: the messages, and the request they make for a model.
const NUMBERS = ["temperature", "max_tokens", "top_p", "seed"];

export class Prompt {
  constructor(form) {
    this.form = form;
    this.list = form.querySelector("[data-messages]");
    this.mold = document.getElementById("playground-message").content;
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

  remove(row) {
    if (this.list.children.length > 1) row.remove();
  }

  /** What is typed outlives a reload, in this tab alone. */
  kept() {
    const fields = [...this.form.querySelectorAll("[data-kept]")].map((field) => [field.name, field.value]);
    return { plain: Object.fromEntries(fields), messages: this.messages() };
  }

  restore({ plain, messages }) {
    for (const [name, value] of Object.entries(plain)) if (this.form.elements[name]) this.form.elements[name].value = value;
    this.list.replaceChildren();
    for (const { role, content } of messages) this.add(role, content);
  }

  mark() {
    for (const remove of this.list.querySelectorAll("[data-remove-message]")) remove.disabled = this.list.children.length < 2;
  }

  messages() {
    return [...this.list.children].map((row) => ({
      role: row.querySelector("select").value,
      content: row.querySelector("textarea").value,
    }));
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
    if (format === "json_schema") body.response_format = { type: format, json_schema: asked(fields.schema.value) };
    if (fields.tools.value.trim()) body.tools = parsed(fields.tools.value);
    return body;
  }
}

/** A schema alone, or one with its name already. */
function asked(text) {
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

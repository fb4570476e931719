// The models side by side: one to four.
import { Column } from "./column.js";

const MOST = 4;

export class Columns {
  constructor(form) {
    this.list = form.querySelector("[data-answers]");
    this.words = { broken: form.dataset.broken, request: form.dataset.request };
    this.known = new Map();
    for (const root of this.list.children) this.adopt(root);
  }

  all() {
    return [...this.list.children].map((root) => this.known.get(root));
  }

  /** Whose column a button stands in. */
  of(button) {
    return this.known.get(button.closest("[data-column]"));
  }

  names() {
    return this.all().map(({ model }) => model).filter(Boolean);
  }

  add(model = "") {
    const root = document.getElementById("playground-column").content.cloneNode(true).firstElementChild;
    const name = root.querySelector("[name=model]");
    name.value = model;
    this.list.append(root);
    this.adopt(root);
    return name;
  }

  adopt(root) {
    this.known.set(root, new Column(root, this.words));
  }

  remove(column) {
    column.stop();
    this.known.delete(column.root);
    column.root.remove();
  }

  restore(models) {
    if (!models.length) return;
    this.list.replaceChildren();
    for (const model of models.slice(0, MOST)) this.add(model);
  }

  /** The address names the models, so that it can be kept and sent. */
  mark() {
    const address = new URL(location.href);
    address.searchParams.delete("model");
    for (const name of this.names()) address.searchParams.append("model", name);
    history.replaceState(null, "", address);
    document.querySelector("[data-add-model]").disabled = this.list.children.length >= MOST;
    for (const remove of this.list.querySelectorAll("[data-remove-model]")) remove.disabled = this.list.children.length < 2;
  }
}

// Further rows of a form, in place: copies of its empty one, numbered as Django reads them.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add-row]");
  if (!button) return;
  const list = button.closest("form").querySelector("[data-formset]");
  const total = list.closest("form").elements[`${list.dataset.formset}-TOTAL_FORMS`];
  const place = Number(total.value);
  const mold = list.closest("form").querySelector("[data-formset-row]");
  list.append(numbered(mold.content.cloneNode(true), place));
  total.value = place + 1;
  button.disabled = place + 1 >= Number(list.dataset.most);
  list.lastElementChild.querySelector("input, textarea, select").focus();
});

function numbered(row, place) {
  for (const part of row.querySelectorAll("*")) {
    for (const { name, value } of [...part.attributes]) {
      if (value.includes("__prefix__")) part.setAttribute(name, value.replaceAll("__prefix__", place));
    }
  }
  const number = row.querySelector("[data-number]");
  if (number) number.textContent = place + 1;
  return row;
}

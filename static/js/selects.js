// A choice that is an act in itself sends its form; without JavaScript there is a button beside it.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submits]")) event.target.form.requestSubmit();
});

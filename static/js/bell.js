// The bell in the top bar counts along: a live notice fetches its new face. The link itself stays, and with it the focus.
document.addEventListener("live", async ({ target }) => {
  const bell = target.closest("[data-bell]");
  if (!bell) return;
  const answer = await fetch(bell.dataset.bell).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  bell.replaceChildren(...holder.content.querySelector("[data-bell]").childNodes);
});

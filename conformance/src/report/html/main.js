// Puts the page together, and follows its address.

function follow() {
  readFilters();
  showMatrix();
  const { case: id, runtime } = place.read();
  if (id) openCell(id, runtime ?? "");
  else closeCell();
}

function start() {
  showHead();
  showFilters();
  follow();
  performance.mark("shown");
}

// The heading is painted first, and what follows that frame is the page's own work. A page that is
// not seen has no frames.
if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));

addEventListener("hashchange", follow);
dialog.addEventListener("close", onClosed);
// A click beside the panel closes it.
dialog.addEventListener("click", (event) => { if (event.target === dialog) closeCell(); });
const matrix = document.getElementById("matrix");
matrix.addEventListener("keydown", onGridKey);
matrix.addEventListener("click", (event) => {
  const cell = event.target.closest("[data-key]");
  if (cell && !getSelection().toString()) { moveTo(cell); activate(cell); }
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || dialog.open || /input|select/i.test(event.target.tagName)) return;
  event.preventDefault();
  document.querySelector("#filters [name=q]").focus();
});

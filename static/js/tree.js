// The span tree as a treegrid: one row is in the tab order, arrows move, left and right fold.
// Rows that the server left out are fetched when their parent is unfolded.

import { on } from "tracehub/keys";

let grid = document.querySelector('[role="treegrid"]');
const rows = () => [...grid.querySelectorAll('[role="row"][data-span]')];
const shown = () => rows().filter((row) => !row.hidden);
const level = (row) => Number(row.getAttribute("aria-level"));
const current = () => grid.querySelector('[aria-selected="true"]') ?? shown()[0];

function below(row) {
  const found = [];
  for (let next = row.nextElementSibling; next && level(next) > level(row); next = next.nextElementSibling) found.push(next);
  return found;
}

function select(row) {
  for (const other of grid.querySelectorAll('[aria-selected="true"]')) other.setAttribute("aria-selected", "false");
  row.setAttribute("aria-selected", "true");
  tabStop(row);
}

function tabStop(row) {
  for (const other of rows()) other.tabIndex = other === row ? 0 : -1;
}

function dress(scope) {
  for (const link of scope.querySelectorAll("[data-span] a.span__link")) link.tabIndex = -1;
  for (const row of rows()) if (!row.hasAttribute("tabindex")) row.tabIndex = -1;
}

/** Hide or show what is below a row; folded rows inside stay folded. */
function showBelow(row, visible) {
  let folded = Infinity;
  for (const next of below(row)) {
    if (level(next) <= folded) folded = Infinity;
    next.hidden = !visible || folded < level(next);
    if (visible && folded === Infinity && next.getAttribute("aria-expanded") === "false") folded = level(next);
  }
}

async function unfold(row) {
  row.setAttribute("aria-expanded", "true");
  if (!row.hasAttribute("data-lazy")) return showBelow(row, true);
  row.removeAttribute("data-lazy");
  const url = new URL(location.href);
  for (const name of ["span", "tab", "all"]) url.searchParams.delete(name);
  url.searchParams.set("under", row.dataset.span);
  await window.htmx.ajax("GET", url.pathname + url.search, { target: row, swap: "afterend", push: "false" });
}

function fold(row) {
  row.setAttribute("aria-expanded", "false");
  showBelow(row, false);
}

const parentOf = (row) => {
  let before = row.previousElementSibling;
  while (before && !(level(before) < level(row))) before = before.previousElementSibling;
  return before?.dataset.span ? before : null;
};

function open(row) {
  row.focus({ preventScroll: false });
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("a.span__link").click();
}

function move(step) {
  return (event) => {
    if (event.target.matches("input, select, [role=tab], summary, textarea")) return false;
    if (event.target.closest(".trace__span .scroll, .trace__review .scroll")) return false;
    const list = shown();
    const next = list[list.indexOf(current()) + step];
    if (next) open(next);
  };
}

on("ArrowDown", move(1));
on("ArrowUp", move(-1));
on("ArrowRight", (event) => {
  const row = event.target.closest?.("[data-span]") ?? (event.target === document.body ? current() : null);
  if (!row) return false;
  if (row.getAttribute("aria-expanded") === "false") unfold(row);
  else if (row.getAttribute("aria-expanded") === "true") move(1)(event);
});
on("ArrowLeft", (event) => {
  const row = event.target.closest?.("[data-span]") ?? (event.target === document.body ? current() : null);
  if (!row) return false;
  if (row.getAttribute("aria-expanded") === "true") fold(row);
  else if (parentOf(row)) open(parentOf(row));
});
on("Enter", (event) => {
  const row = event.target.matches?.("[data-span]") ? event.target : null;
  if (!row) return false;
  open(row);
});

document.addEventListener("click", (event) => {
  if (!grid.contains(event.target)) return;
  const button = event.target.closest("[data-fold]");
  if (button) {
    const row = button.closest("[data-span]");
    if (row.getAttribute("aria-expanded") === "true") fold(row); else unfold(row);
    return;
  }
  const row = event.target.closest("[data-span]");
  if (row && !event.ctrlKey && !event.metaKey && !event.shiftKey) select(row);
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-span-link]");
  const row = link && grid.querySelector(`[data-span="${CSS.escape(link.dataset.spanLink)}"]`);
  if (!row) return;
  select(row);
  for (let up = parentOf(row); up; up = parentOf(up)) if (up.getAttribute("aria-expanded") === "false") unfold(up);
  row.scrollIntoView({ block: "nearest" });
});
document.addEventListener("htmx:after:swap", () => { dress(grid); tabStop(current()); });

/** Begin with the tree that is there now: quick review puts the next trace into the page. */
function begin() {
  grid = document.querySelector('[role="treegrid"]');
  dress(grid);
  if (!current()) return;
  tabStop(current());
  current().scrollIntoView({ block: "nearest" });
}
document.addEventListener("trace:shown", begin);
begin();

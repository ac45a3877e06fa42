// The span tree as a treegrid: one row is in the tab order, arrows move, left and right fold.
// Rows that the server left out are fetched when their parent is unfolded.

import { on } from "tracehub/keys";

const HELD_MS = 90; // keys closer together than this are one way to go: only its end is fetched
let movedAt = 0;
let loading = 0;
let grid = document.querySelector('[role="treegrid"]');
const level = (row) => Number(row.getAttribute("aria-level"));
const current = () => grid.querySelector('[aria-selected="true"]') ?? grid.querySelector('[role="row"][data-span]');

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
  for (const other of grid.querySelectorAll('[data-span][tabindex="0"]')) other.tabIndex = -1;
  row.tabIndex = 0;
}

/** Take new rows and their links out of the tab order. */
function dress() {
  for (const row of grid.querySelectorAll("[data-span]:not([tabindex])")) {
    row.tabIndex = -1;
    row.querySelector("a.span__link").tabIndex = -1;
  }
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

/** Go to a row at once; what it holds comes when the keys rest. */
function open(row) {
  select(row);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  const held = performance.now() - movedAt < HELD_MS;
  movedAt = performance.now();
  clearTimeout(loading);
  const load = () => { if (row.isConnected) row.querySelector("a.span__link").click(); };
  if (held) loading = setTimeout(load, HELD_MS);
  else load();
}

/** Fetch the rows of a gap that are next to the current one. */
function widen(gap, step) {
  if (gap.hasAttribute("aria-busy")) return;
  gap.setAttribute("aria-busy", "true");
  const link = gap.querySelector("a");
  const url = new URL(link.href);
  if (step < 0) url.searchParams.set("end", "1");
  const asked = window.htmx.ajax("GET", url.pathname + url.search, { target: gap, swap: "outerHTML", push: "false" });
  asked.finally(() => gap.removeAttribute("aria-busy"));
}

function move(step) {
  return (event) => {
    if (event.target.matches("input, select, [role=tab], summary, textarea")) return false;
    if (event.target.closest(".trace__span .scroll, .trace__review .scroll")) return false;
    let next = current();
    do next = step > 0 ? next?.nextElementSibling : next?.previousElementSibling; while (next?.hidden);
    if (next?.classList.contains("span--more")) widen(next, step);
    else if (next?.dataset.span) open(next);
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
document.addEventListener("htmx:after:swap", () => { dress(); if (current()) tabStop(current()); });

/** Begin with the tree that is there now: quick review puts the next trace into the page. */
function begin() {
  grid = document.querySelector('[role="treegrid"]');
  dress();
  if (!current()) return;
  tabStop(current());
  current().scrollIntoView({ block: "nearest" });
}
document.addEventListener("trace:shown", begin);
begin();

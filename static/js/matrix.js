// The matrix by keyboard: arrows move between cells, j and k between the hot ones; Enter chooses a
// cell, and on the chosen one opens its traces.

import { on } from "tracehub/keys";

const cells = () => [...document.querySelectorAll(".heat:not(.heat--pivot) a.tint")];
const current = () => document.activeElement.closest?.(".heat:not(.heat--pivot) a.tint") ?? document.querySelector('a.tint[aria-current="true"]');
const place = (cell) => [cell.closest("tr").rowIndex, cell.closest("td").cellIndex];

function nearest(down, right) {
  return () => {
    const from = current();
    if (!from) return false;
    const [row, column] = place(from);
    const ahead = cells().map((cell) => [cell, place(cell)]).filter(([, [r, c]]) => (down ? (r - row) * down > 0 : r === row && (c - column) * right > 0));
    ahead.sort(([, [r1, c1]], [, [r2, c2]]) => Math.abs(r1 - row) - Math.abs(r2 - row) || Math.abs(c1 - column) - Math.abs(c2 - column));
    ahead[0]?.[0].focus();
  };
}

/** The next hot cell; any cell where none is hot. */
function hot(step) {
  const marked = cells().filter((cell) => cell.hasAttribute("data-hot"));
  const list = marked.length ? marked : cells();
  return list[(list.indexOf(current()) + step + list.length) % list.length];
}

function toHot(step) {
  return () => {
    const cell = hot(step);
    if (!cell) return false;
    cell.focus();
  };
}

on("ArrowDown", nearest(1, 0));
on("ArrowUp", nearest(-1, 0));
on("ArrowRight", nearest(0, 1));
on("ArrowLeft", nearest(0, -1));
on("j", toHot(1));
on("k", toHot(-1));
on("Enter", (event) => {
  if (!event.target.matches?.('a.tint[aria-current="true"]')) return false;
  document.querySelector("[data-open-all]").click();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-hot-cell]");
  if (button) hot(Number(button.dataset.hotCell))?.click();
});

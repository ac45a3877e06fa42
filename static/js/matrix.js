// The matrix by keyboard: arrows move between cells, j and k between the hot ones, Enter opens.

import { on } from "tracehub/keys";

const cells = () => [...document.querySelectorAll("a.tint")];
const current = () => document.activeElement.closest?.("a.tint") ?? document.querySelector('a.tint[aria-current="true"]');
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

function hot(step) {
  return () => {
    const list = cells().filter((cell) => cell.hasAttribute("data-hot"));
    if (!list.length) return false;
    list[(list.indexOf(current()) + step + list.length) % list.length].focus();
  };
}

on("ArrowDown", nearest(1, 0));
on("ArrowUp", nearest(-1, 0));
on("ArrowRight", nearest(0, 1));
on("ArrowLeft", nearest(0, -1));
on("j", hot(1));
on("k", hot(-1));

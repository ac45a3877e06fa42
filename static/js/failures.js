// The list of failures by keyboard: move, open, select. Actions are buttons with their keys.

import { on, typing } from "tracehub/keys";

const rows = () => [...document.querySelectorAll("#rows > tr[data-group]")];
const current = () => document.querySelector("#rows > tr[aria-current=true]");
const box = (row) => row?.querySelector("input[name=key]");
const chosen = () => rows().filter((row) => box(row)?.checked);

function step(by) {
  const all = rows();
  const row = all[Math.min(all.length - 1, Math.max(0, all.indexOf(current()) + by))];
  if (!row || row === current()) return;
  current()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("[data-open]").click();
}

function counted() {
  const count = chosen().length;
  const label = document.getElementById("bulk-count");
  if (label) label.textContent = `${count} selected`;
  const all = document.getElementById("select-all");
  if (!all) return;
  all.checked = count > 0 && count === rows().length;
  all.indeterminate = count > 0 && count < rows().length;
}

function clear() {
  if (!chosen().length) return false;
  for (const row of chosen()) box(row).checked = false;
  counted();
}

function toggle() {
  if (!box(current())) return false;
  box(current()).checked = !box(current()).checked;
  counted();
}

on("j", () => step(1));
on("k", () => step(-1));
on("x", toggle);
on("Enter", (event) => {
  const page = document.getElementById("open-page");
  if (!page || event.target.closest("a, button, summary, input")) return false;
  page.click();
});
on("Escape", (event) => (typing(event.target) ? false : clear()));

document.addEventListener("change", (event) => {
  if (event.target.id === "select-all") for (const row of rows()) box(row).checked = event.target.checked;
  if (event.target.matches("#select-all, #rows input[name=key]")) counted();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("#bulk-clear")) clear();
});
document.addEventListener("htmx:after:swap", counted);
counted();

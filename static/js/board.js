// The coding board by keyboard: j and k move over the notes, x chooses, Enter in the name makes the
// mode. The digits, `.` and `n` are keys of buttons and fields of the page.

import { on } from "tracehub/keys";

const notes = () => [...document.querySelectorAll(".note")];
const current = () => document.querySelector('.note[aria-current="true"]') ?? notes()[0];

function move(step) {
  return () => {
    const list = notes();
    const next = list[Math.min(list.length - 1, Math.max(0, list.indexOf(current()) + step))];
    if (!next) return;
    for (const note of list) note.removeAttribute("aria-current");
    next.setAttribute("aria-current", "true");
    next.scrollIntoView({ block: "nearest" });
  };
}

on("j", move(1));
on("k", move(-1));
on("x", () => current()?.querySelector("input")?.click());
on("Escape", () => {
  const chosen = document.querySelectorAll(".note input:checked");
  for (const box of chosen) box.checked = false;
  return chosen.length > 0;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.getAttribute("form") !== "group" || event.target.type === "checkbox") return;
  event.preventDefault();
  document.getElementById("group").requestSubmit(document.querySelector('[form="group"][value="name"]'));
});

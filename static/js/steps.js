// Plain lists and forms by keyboard: `j` and `k` move between elements with data-step, and a key
// presses what has it as data-step-key in the one that is current.

import { on } from "tracehub/keys";

const steps = () => [...document.querySelectorAll("[data-step]")];
const current = () => document.querySelector("[data-step][aria-current=true]");

function mark(step) {
  current()?.removeAttribute("aria-current");
  step.setAttribute("aria-current", "true");
}

function move(by) {
  const all = steps();
  if (!all.length) return false;
  const at = all.indexOf(current());
  const step = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))];
  mark(step);
  step.querySelector("a").focus({ preventScroll: true });
  step.scrollIntoView({ block: "nearest" });
}

on("j", () => move(1));
on("k", () => move(-1));

function press(key) {
  const target = current()?.querySelector(`[data-step-key="${CSS.escape(key)}"]`);
  if (!target) return false;
  if (target.matches("input:not([type=radio], [type=checkbox])")) target.focus();
  else target.click();
}
const keys = new Set([...document.querySelectorAll("[data-step-key]")].map((one) => one.dataset.stepKey));
for (const key of keys) on(key, () => press(key));

document.addEventListener("focusin", (event) => {
  const step = event.target.closest("[data-step]");
  if (step && step !== current()) mark(step);
});

// Where keys press something, there is always one that they press it in.
function begin() {
  const named = document.getElementById(location.hash.slice(1));
  const first = named?.matches("[data-step]") ? named : steps()[0];
  if (keys.size && first) mark(first);
}
window.addEventListener("hashchange", begin);
begin();

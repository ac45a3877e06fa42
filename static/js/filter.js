// The filter field: suggestions by arrows, tab and enter; backspace takes the last chip back.

import { on } from "tracehub/keys";

const field = () => document.getElementById("filter-input");
const list = () => document.getElementById("suggestions");
const options = () => [...list().querySelectorAll("[role=option]")];
const active = () => list().querySelector("[aria-selected=true]");

function choose(option) {
  for (const one of options()) one.setAttribute("aria-selected", String(one === option));
  if (option) field().setAttribute("aria-activedescendant", option.id);
  else field().removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const all = options();
  if (!all.length) return;
  const at = all.indexOf(active());
  choose(all[(at + by + all.length + (at < 0 && by < 0 ? 1 : 0)) % all.length]);
}

/** Put an offer into the field; a whole filter goes on to the list at once. */
function take(option) {
  const input = field();
  input.value = option.dataset.text;
  input.focus();
  if (option.dataset.whole) input.form.requestSubmit();
  else input.dispatchEvent(new Event("input", { bubbles: true }));
}

function lastChipBack() {
  const chip = [...document.querySelectorAll("#filter .chip")].at(-1);
  if (!chip) return;
  pending = chip.dataset.text;
  chip.querySelector("a").click();
}

let pending = null; // text that goes into the field after the next swap

document.addEventListener("keydown", (event) => {
  if (event.target !== field() || event.isComposing) return;
  const option = active();
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Tab" && !event.shiftKey && field().value && options().length) {
    take(option ?? options()[0]);
  } else if (event.key === "Enter" && option) {
    take(option);
  } else if (event.key === "Enter" && !field().value.trim()) {
    // An empty field adds nothing.
  } else if (event.key === "Backspace" && !field().value) {
    lastChipBack();
  } else {
    return;
  }
  event.preventDefault();
});

document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("#suggestions [role=option]");
  if (!option) return;
  event.preventDefault(); // the field keeps its focus
  take(option);
});

document.addEventListener("focusin", (event) => {
  if (event.target === field()) field().setAttribute("aria-expanded", "true");
});
document.addEventListener("focusout", (event) => {
  if (event.target === field()) field().setAttribute("aria-expanded", "false");
});

document.addEventListener("htmx:after:swap", (event) => {
  const source = event.detail.ctx.sourceElement;
  if (event.detail.ctx.target?.id !== "main" && source?.id !== "filter") return;
  field().value = pending ?? "";
  if (pending !== null) field().focus();
  pending = null;
  list().replaceChildren();
  if (document.activeElement === field()) field().dispatchEvent(new Event("input", { bubbles: true }));
});

// Escape with nothing else to close clears the filter.
on("Escape", (event) => {
  const clear = document.querySelector(".empty a.btn--ghost");
  if (event.target.matches("input, textarea") || !clear) return false;
  clear.click();
});

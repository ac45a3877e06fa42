// The filter field: suggestions by arrows, tab and enter; backspace takes the last chip back.

import { keep, kept } from "tracehub/kept";
import { on } from "tracehub/keys";
import { el, icon } from "tracehub/shell";

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

/** Show what can be typed here, or put it away: after Enter it would cover the list. */
function offer(open) {
  list().hidden = !open;
  field().setAttribute("aria-expanded", String(open));
}

function move(by) {
  offer(true);
  const all = options();
  if (!all.length) return;
  const at = all.indexOf(active());
  choose(all[(at + by + all.length + (at < 0 && by < 0 ? 1 : 0)) % all.length]);
}

// The last filters of this page (traces, failures, sessions, metrics: where the form leads), newest
// first, kept in this browser.
const RECENT = 5;
const store = () => `filters:${field().form.getAttribute("action")}`;
const query = () => document.querySelector("#filter input[name=q]");

function recent() {
  try {
    return kept(store()) ?? [];
  } catch {
    return []; // storage is off
  }
}

function remember() {
  const text = query()?.value.trim();
  if (!text || document.querySelector(".query--wrong")) return;
  try {
    keep(store(), [text, ...recent().filter((one) => one !== text)].slice(0, RECENT));
  } catch {
    // Storage is off or full: there is nothing recent then.
  }
}

// Recent filters have a place of their own beside what the server finds, so neither waits for the
// other or wipes it out.
function offerRecent() {
  const place = document.getElementById("recent");
  const last = field().value ? [] : recent().filter((text) => text !== query().value);
  if (place.childElementCount && last.length) return;
  place.replaceChildren();
  if (!last.length) return;
  const group = el("div", { role: "group", "aria-label": "Recent" }, el("p", { class: "menu__head", "aria-hidden": "true" }, "Recent"));
  last.forEach((text, index) => {
    const option = el("div", { class: "menu__item", role: "option", "aria-selected": "false", id: `recent-${index}` },
      icon("clock"), el("span", { class: "mono grow truncate" }, text));
    option.dataset.recent = text;
    group.append(option);
  });
  place.append(group, el("div", { class: "menu__sep", role: "presentation" }));
}

/** Put an offer into the field; a whole filter goes on to the list at once. */
function take(option) {
  const input = field();
  if (option.dataset.recent) {
    query().value = option.dataset.recent;
    input.value = "";
    input.form.requestSubmit();
    return;
  }
  input.value = option.dataset.text;
  input.focus();
  if (option.dataset.whole) input.form.requestSubmit();
  else input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Take a part of the filter out and put it into the field, to be changed there. */
function edit(chip) {
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
    edit([...document.querySelectorAll("#filter .chip")].at(-1));
  } else {
    return;
  }
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target === field()) offer(true);
  const button = event.target.closest("#filter .chip__edit");
  if (button) edit(button.closest(".chip"));
});

// The values of a long facet, by a part of their name.
document.addEventListener("input", (event) => {
  if (!event.target.matches(".facet__search")) return;
  const asked = event.target.value.trim().toLowerCase();
  for (const row of event.target.parentElement.querySelectorAll("a.facet__row")) {
    row.hidden = !row.querySelector(".truncate").textContent.toLowerCase().includes(asked);
  }
});

document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("#suggestions [role=option]");
  if (!option) return;
  event.preventDefault(); // the field keeps its focus
  take(option);
});

document.addEventListener("focusin", (event) => {
  if (event.target !== field()) return;
  offer(true);
  offerRecent();
});
document.addEventListener("focusout", (event) => {
  if (event.target === field()) field().setAttribute("aria-expanded", "false");
});

document.addEventListener("input", (event) => {
  if (event.target !== field()) return;
  offer(true);
  offerRecent();
});

document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx.target?.id === "offers") choose(active()); // a chosen recent filter stays chosen
  const source = event.detail.ctx.sourceElement;
  if (event.detail.ctx.target?.id !== "main" && source?.id !== "filter") return;
  const editing = pending !== null;
  field().value = pending ?? "";
  if (editing) field().focus();
  pending = null;
  remember();
  document.getElementById("offers").replaceChildren();
  document.getElementById("recent").replaceChildren();
  if (document.activeElement !== field()) return;
  field().dispatchEvent(new Event("input", { bubbles: true })); // fetch what can follow
  offer(editing);
});

// Escape with nothing else to close clears the filter.
on("Escape", (event) => {
  const clear = document.querySelector(".empty a.btn--ghost");
  if (event.target.matches("input, textarea") || !clear) return false;
  clear.click();
});
remember();

// The coding board by keyboard and by hand: j and k move over the notes, x chooses, space opens the
// trace; Tab goes to the modes, arrows move over them, r, m and s act on the chosen one; notes can
// be dragged into modes. `n` and `d` are keys of buttons and links of the page. Dialogs open by the address (#split-…).

import { on, typing } from "tracehub/keys";

const group = () => document.getElementById("group");
const notes = () => [...document.querySelectorAll(".note")].filter((note) => note.checkVisibility());
const current = () => document.querySelector('.note[aria-current="true"]') ?? notes()[0];
const chosen = () => [...document.querySelectorAll(".note input:checked")];
const mode = () => document.querySelector('.mode[aria-current="true"]');
const cards = () => [...document.querySelectorAll(".mode[data-mode]")];
const dialog = () => document.querySelector(".over:target");

let first = ""; // field that has the cursor when a dialog opens, else its first

/** Put the mark of the current one on `one` among `all`, and show it. */
function mark(all, one) {
  for (const other of all) other.removeAttribute("aria-current");
  one.setAttribute("aria-current", "true");
  one.scrollIntoView({ block: "nearest" });
  rove();
}

/** Only the current note and the current card are on the way of Tab: one press from notes to modes. */
function rove() {
  if (document.body.dataset.keys === "off") return; // else nothing would lead to the others
  const card = mode() ?? document.querySelector(".mode[data-mode]");
  for (const [all, now] of [[notes(), current()], [cards(), card]]) {
    for (const one of all) {
      const inside = one.matches(".mode") ? [one, ...one.querySelectorAll("a, button")] : one.querySelectorAll("a, input");
      for (const part of inside) part.tabIndex = one === now ? 0 : -1;
    }
  }
}

/** Move over the cards, as they lie: a step along the row, or to the card above or below. */
function across(x, y) {
  return (event) => {
    const from = event.target.closest?.(".mode[data-mode]");
    if (!from || dialog()) return false;
    const box = from.getBoundingClientRect();
    const ahead = (one) => {
      const { left, top } = one.getBoundingClientRect();
      return y ? Math.abs(left - box.left) < 2 && (top - box.top) * y > 1 : false;
    };
    const list = cards();
    const column = y > 0 ? list.filter(ahead) : list.filter(ahead).reverse();
    const next = y ? column[0] : list[list.indexOf(from) + x];
    next?.focus();
  };
}

/** Accept the suggestion of the current note's group, else the first there is. */
function accept() {
  const head = current()?.closest("ul").previousElementSibling;
  const button = head?.querySelector("button") ?? document.querySelector(".cluster button");
  if (!button || dialog()) return false;
  button.click();
}

function move(step) {
  return () => {
    const list = dialog() ? [...dialog().querySelectorAll(".pick-list > li")] : notes();
    const now = dialog() ? list.findIndex((row) => row.hasAttribute("aria-current")) : list.indexOf(current());
    const next = list[Math.min(list.length - 1, Math.max(0, now + step))];
    if (next) mark(list, next);
  };
}

function show() {
  const many = chosen().length;
  const said = `${many} note${many === 1 ? "" : "s"}`;
  const bulk = document.querySelector("[data-bulk]");
  if (bulk) bulk.hidden = !many;
  for (const place of document.querySelectorAll("[data-bulk-count]")) place.textContent = said;
  for (const place of document.querySelectorAll("[data-new-title]")) place.textContent = many ? `New mode from ${said}` : "New mode from the chosen notes";
  const open = document.querySelector(".over:target[data-split]");
  for (const side of open ? ["1", "2"] : []) {
    const number = open.querySelectorAll(`input[value="${side}"]:checked`).length;
    open.querySelector(`[data-side-count="${side}"]`).textContent = `${number} note${number === 1 ? "" : "s"}`;
  }
}

function clear() {
  const boxes = chosen();
  for (const box of boxes) box.checked = false;
  show();
  return boxes.length > 0;
}

function words(note) {
  return new Set(note.querySelector(".note__said").textContent.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? []);
}

/** Choose the notes that share a quarter of their words with a chosen one. */
function alike() {
  const given = chosen().map((box) => words(box.closest(".note")));
  for (const note of notes()) {
    const own = words(note);
    const near = given.some((set) => {
      const shared = [...own].filter((word) => set.has(word)).length;
      return shared && shared / (own.size + set.size - shared) >= 0.25;
    });
    if (near) note.querySelector("input").checked = true;
  }
  show();
}

function side(number) {
  return () => {
    const row = dialog().querySelector(".pick-list > li[aria-current]");
    row?.querySelector(`input[value="${number}"]`)?.click();
    move(1)();
  };
}

function act(name) {
  return () => {
    const link = mode()?.querySelector(`[data-act="${name}"]`);
    if (!link || dialog()) return false;
    link.click();
  };
}

function opened() {
  const row = dialog()?.querySelector(".pick-list > li") ?? null;
  if (row) mark(dialog().querySelectorAll(".pick-list > li"), row);
  if (dialog()) (document.getElementById(first) ?? dialog().querySelector("input:not([type=hidden], [type=radio])"))?.focus();
  show();
}

on("j", move(1));
on("k", move(-1));
on("x", () => (dialog() ? false : void current()?.querySelector("input")?.click()));
on(" ", (event) => {
  if (event.target.closest?.("a, button, summary, input") || dialog() || !current()) return false;
  current().querySelector(".note__meta a").click();
});
on(".", accept);
on("ArrowLeft", across(-1, 0));
on("ArrowRight", across(1, 0));
on("ArrowUp", across(0, -1));
on("ArrowDown", across(0, 1));
on("r", act("edit"));
on("m", act("merge"));
on("s", act("split"));
for (const number of "123456789") {
  on(number, () => {
    if (dialog()) return number < 3 ? side(number)() : false;
    const button = document.querySelector(`[data-number="${number}"]`);
    if (!button || !chosen().length) return false;
    group().requestSubmit(button);
  });
}
on("Mod+Enter", () => {
  const open = dialog();
  if (open) open.querySelector("[data-done]").click();
  else document.querySelector("[data-publish] button")?.click();
});
on("Escape", (event) => {
  if (dialog()) {
    location.hash = "board";
    document.activeElement.blur();
    return void mode()?.focus();
  }
  if (typing(event.target)) return false;
  return clear() || false;
});
addEventListener("hashchange", opened);
document.addEventListener("change", show);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-alike]")) alike();
  if (event.target.closest("[data-clear]")) clear();
  const link = event.target.closest('a[href^="#"]:not(.skip)');
  if (link) { // at once, so that what is typed next goes into the dialog
    event.preventDefault();
    first = link.dataset.focus ?? "";
    location.hash = link.hash.slice(1);
    opened();
  }
  const card = event.target.closest(".mode[data-mode]");
  if (card) mark(document.querySelectorAll(".mode"), card);
});
document.addEventListener("focusin", (event) => {
  const card = event.target.closest(".mode[data-mode]");
  if (card) mark(document.querySelectorAll(".mode"), card);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches('input[form="group"]:not([type=checkbox])')) return;
  event.preventDefault();
  group().requestSubmit(document.querySelector('[form="group"][value="name"]'));
});

// Dragging: the note under the pointer, and all that are chosen with it.
if (group()) for (const note of document.querySelectorAll(".note")) note.draggable = true;
document.addEventListener("dragstart", (event) => {
  const note = event.target.closest?.(".note");
  if (!note) return;
  const box = note.querySelector("input");
  if (!box.checked) {
    clear();
    box.checked = true;
    show();
  }
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", note.querySelector(".note__said").textContent);
});
document.addEventListener("dragover", (event) => {
  const card = event.target.closest?.(".mode");
  for (const other of document.querySelectorAll("[data-drop]")) if (other !== card) other.removeAttribute("data-drop");
  if (!card || !chosen().length) return;
  event.preventDefault();
  card.setAttribute("data-drop", "");
});
document.addEventListener("drop", (event) => {
  const card = event.target.closest?.(".mode");
  if (!card || !chosen().length) return;
  event.preventDefault();
  if (card.hasAttribute("data-new")) location.hash = "new-mode";
  else group().requestSubmit(card.querySelector('button[value^="into:"]'));
});
document.addEventListener("dragend", () => {
  for (const card of document.querySelectorAll("[data-drop]")) card.removeAttribute("data-drop");
});
opened();
rove();

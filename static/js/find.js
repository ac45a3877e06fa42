// Search in the span: `/` opens it, folded texts come whole first, Enter and ⇧Enter step through the
// matches, Escape closes it and leaves the match selected, so that a note can be put on it.

import { on } from "tracehub/keys";
import { indexed } from "tracehub/texts";

const bar = () => document.querySelector("[data-find]");
const panel = () => document.getElementById("panel");
const supported = "highlights" in CSS;
const MOST = 2000;
let found = [];
let now = -1;
let wanted = "";

const folded = () => panel().querySelector('a[href*="&all="]') !== null;

/** Ask for the span with nothing folded. Resolves when it is there. */
async function whole() {
  const url = new URL(location.href);
  url.searchParams.set("span", document.querySelector("[data-pane]").dataset.pane);
  url.searchParams.set("all", "*");
  await window.htmx.ajax("GET", url.pathname + url.search, { source: "#pane", target: "#pane", swap: "innerHTML" });
}

function matches(text, needle) {
  const [hay, word] = [text.toLowerCase(), needle.toLowerCase()];
  if (hay.length !== text.length) return []; // a letter whose small form is longer
  const places = [];
  for (let at = hay.indexOf(word); at >= 0 && places.length < MOST; at = hay.indexOf(word, at + word.length)) places.push(at);
  return places;
}

function search() {
  wanted = bar().querySelector("input").value;
  const index = indexed(panel());
  found = wanted ? matches(index.text, wanted).map((at) => index.range(at, at + wanted.length)) : [];
  now = found.length ? 0 : -1;
  paint();
}

function paint() {
  bar().querySelector("[data-find-count]").textContent = wanted ? (found.length ? `${now + 1} of ${found.length}` : "nothing found") : "";
  if (supported) {
    CSS.highlights.set("found", new Highlight(...found));
    CSS.highlights.set("found-now", new Highlight(...(now < 0 ? [] : [found[now]])));
  }
  if (now < 0) return;
  for (let fold = found[now].startContainer.parentElement.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  reveal(found[now]);
}

/** Scroll to a match itself: the text around it may be longer than the window. */
function reveal(range) {
  range.startContainer.parentElement.scrollIntoView({ block: "nearest" });
  const boxes = [document.scrollingElement];
  for (let box = panel(); box; box = box.parentElement) boxes.unshift(box);
  for (const box of boxes.filter((one) => one.scrollHeight > one.clientHeight)) {
    const middle = Math.max(0, box.getBoundingClientRect().top) + Math.min(box.clientHeight, innerHeight) / 2;
    box.scrollTop += range.getBoundingClientRect().top - middle;
  }
}

function step(by) {
  if (!found.length) return;
  now = (now + by + found.length) % found.length;
  paint();
}

/** Show the field with some text, which is chosen when it is of the last search. */
function show(text, chosen) {
  bar().hidden = false;
  const field = bar().querySelector("input");
  field.value = text;
  field.focus();
  if (chosen) field.select();
  search();
}

// What is typed while the folded texts are on their way goes on in the field that comes with them:
// at once, since a key that is pressed before it has the focus would be lost.
async function open() {
  const before = wanted;
  show(before, true);
  if (!folded()) return;
  const field = bar().querySelector("input");
  const arrived = new MutationObserver(() => {
    if (bar()?.hidden) show(field.value, field.value === before);
  });
  arrived.observe(document.getElementById("pane"), { childList: true });
  await whole();
  arrived.disconnect();
  search();
}

function close() {
  const match = found[now];
  found = [];
  now = -1;
  if (supported) for (const name of ["found", "found-now"]) CSS.highlights.delete(name);
  bar().hidden = true;
  panel().focus({ preventScroll: true });
  if (match) {
    getSelection().removeAllRanges();
    getSelection().addRange(match);
  }
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-find-open]")) open();
  else if (event.target.closest("[data-find-close]")) close();
  const button = event.target.closest("[data-find-step]");
  if (button) step(Number(button.dataset.findStep));
});
document.addEventListener("input", (event) => { if (event.target.id === "find") search(); });
document.addEventListener("submit", (event) => { if (event.target === bar()) event.preventDefault(); });
document.addEventListener("keydown", (event) => {
  if (event.target.id !== "find" || event.key !== "Enter") return;
  event.preventDefault();
  step(event.shiftKey ? -1 : 1);
});
on("Escape", (event) => {
  if (!bar() || bar().hidden || !bar().contains(event.target)) return false;
  close();
});

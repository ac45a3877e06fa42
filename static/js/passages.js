// Notes on passages: those that are there are marked in the texts of the span; a selection offers to
// put one on it (`a`) and to look for traces that say the same.

import { on } from "tracehub/keys";
import { problem } from "tracehub/shell";
import { indexed } from "tracehub/texts";

const PREFIX = 64;
const LONGEST = 1000;
const panel = () => document.getElementById("panel");
const dialog = () => document.querySelector("[data-passage]");
const shownSpan = () => document.querySelector("[data-pane]")?.dataset.pane;

/** Where a passage stands: the place whose words before it are those that were kept, else the first. */
function placeOf(text, { quote, prefix }) {
  for (let at = text.indexOf(quote); at >= 0; at = text.indexOf(quote, at + 1)) {
    if (text.slice(0, at).endsWith(prefix)) return at;
  }
  return text.indexOf(quote);
}

function markAll() {
  const passages = JSON.parse(document.getElementById("passages")?.textContent ?? "[]");
  for (const passage of passages.filter(({ span }) => span === shownSpan())) {
    if (!panel() || panel().querySelector(`[data-passage-id="${passage.id}"]`)) continue;
    const index = indexed(panel());
    const at = placeOf(index.text, passage);
    if (at < 0) continue; // in a part that is folded
    for (const { node, from, to } of index.parts(at, at + passage.quote.length)) wrap(node, from, to, passage);
  }
}

function wrap(node, from, to, { id, said }) {
  const part = node.splitText(from);
  part.splitText(to - from);
  const mark = document.createElement("mark");
  mark.className = "noted";
  mark.title = said;
  mark.dataset.passageId = id;
  part.replaceWith(mark);
  mark.append(part);
}

/** The selection in the texts of the span: its words and the words before it; null without one. */
function selected() {
  const selection = getSelection();
  if (!panel() || selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  if (!panel().contains(range.commonAncestorContainer)) return null;
  const index = indexed(panel());
  const start = index.placeOf(range.startContainer, range.startOffset);
  const end = index.placeOf(range.endContainer, range.endOffset);
  if (start < 0 || end <= start) return null;
  return { quote: index.text.slice(start, end), prefix: index.text.slice(Math.max(0, start - PREFIX), start) };
}

function offer() {
  const bar = document.querySelector("[data-selection]");
  const found = selected();
  bar.hidden = !found;
  if (!found) return;
  const link = bar.querySelector("[data-find-traces]");
  const words = found.quote.replace(/\s+/g, " ").trim().slice(0, 200).replace(/["\\]/g, "\\$&");
  link.search = new URLSearchParams({ q: `"${words}"` });
}

function annotate() {
  const found = selected();
  if (!found || !dialog()) return false;
  if (found.quote.length > LONGEST) return problem("That passage is too long", `A note can be on ${LONGEST} characters. Select less.`);
  const fields = dialog().querySelector("form").elements;
  if (fields.quote.value !== found.quote) fields.text.value = "";
  fields.span.value = shownSpan();
  fields.quote.value = found.quote;
  fields.prefix.value = found.prefix;
  dialog().querySelector("[data-passage-quote]").textContent = found.quote;
  dialog().showModal();
  fields.text.focus();
}

on("a", annotate);
on("Mod+Enter", (event) => {
  const other = event.target.form;
  if (!other || other.matches("[data-verdict]") || !other.matches("#talk, [data-passage] form")) return false;
  other.requestSubmit();
});
document.addEventListener("selectionchange", offer);
document.addEventListener("mousedown", (event) => { if (event.target.closest("[data-annotate]")) event.preventDefault(); });
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-annotate]")) annotate();
  if (event.target.closest("[data-passage-close]")) dialog().close();
  const mark = event.target.closest("mark.noted");
  if (mark && getSelection().isCollapsed) document.getElementById(`comment-${mark.dataset.passageId}`)?.scrollIntoView({ block: "center" });
});
document.addEventListener("htmx:after:swap", markAll);
document.addEventListener("trace:shown", markAll);
markAll();

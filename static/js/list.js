// The list of traces by keyboard: move, open, preview, select, verdicts; and rows that load on.

import { on, typing } from "tracehub/keys";
import { el, toast } from "tracehub/shell";

const rows = () => [...document.querySelectorAll("#rows > tr[data-trace]")];
const current = () => document.querySelector("#rows > tr[aria-current=true]");
const box = (row) => row.querySelector("input[name=trace]");
const chosen = () => rows().filter((row) => box(row).checked);
let lastSelected = null;

function go(row) {
  if (!row) return;
  current()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.querySelector("[data-cell=main] a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = rows();
  const at = all.indexOf(current());
  go(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]);
  if (all.length && at >= all.length - 5) loadMore();
}

function loadMore() {
  document.getElementById("load-more")?.click();
}

function preview() {
  const row = current();
  if (!row) return false;
  const open = row.nextElementSibling?.matches(".preview") ? row.nextElementSibling : null;
  document.querySelectorAll("#rows > .preview").forEach((one) => one.remove());
  if (open) return undefined;
  const list = el("dl");
  for (const name of ["input", "output"]) {
    const source = row.querySelector(`[data-io=${name}]`);
    list.append(el("dt", {}, name), el("dd", { class: source.classList.contains("mono") ? "mono" : "" }, source.title || "none"));
  }
  for (const signal of row.querySelectorAll("[title]:has(> .signal)")) {
    list.append(el("dt", {}, "signal"), el("dd", {}, signal.title));
  }
  row.after(el("tr", { class: "preview" }, el("td", { colspan: String(row.cells.length) }, list)));
}

function toggle(row, upTo = false) {
  if (!row) return;
  const all = rows();
  const from = upTo && lastSelected?.isConnected ? all.indexOf(lastSelected) : all.indexOf(row);
  const to = all.indexOf(row);
  const state = upTo ? true : !box(row).checked;
  for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) box(one).checked = state;
  lastSelected = row;
  counted();
}

// Everything that the filter finds, loaded or not: what is done then is a job of the server.
const everything = () => document.getElementById("bulk-everything");

function takeAll() {
  if (!rows().length || !document.getElementById("bulk-all")) return false;
  for (const row of rows()) box(row).checked = true;
  everything().value = "1";
  counted();
}

function counted() {
  const count = chosen().length;
  const label = document.getElementById("bulk-count");
  if (everything() && count < rows().length) everything().value = "";
  const whole = everything()?.value;
  if (label) label.textContent = whole ? `All ${document.getElementById("match-count").textContent}selected` : `${count} selected`;
  document.getElementById("bulk-all")?.toggleAttribute("hidden", Boolean(whole));
  const all = document.getElementById("select-all");
  if (all) {
    all.checked = count > 0 && count === rows().length;
    all.indeterminate = count > 0 && count < rows().length;
  }
}

function clear() {
  if (!chosen().length) return false;
  everything().value = "";
  for (const row of chosen()) box(row).checked = false;
  counted();
}

function verdict(value) {
  if (chosen().length) {
    const button = document.querySelector(`#bulk-label [name=verdict][value=${value}]`);
    if (!button) return false;
    button.form.requestSubmit(button);
    return undefined;
  }
  const button = current()?.querySelector(`.row-actions [value^="${value}:"]`);
  if (!button) return false;
  button.form.requestSubmit(button);
}

function withSelection(event, id) {
  const popover = document.getElementById(id);
  if (!popover) return false;
  if (!chosen().length && current()) toggle(current());
  if (chosen().length) popover.showPopover();
}

on("j", () => step(1));
on("k", () => step(-1));
on("Enter", (event) => {
  if (!current() || event.target.closest("a, button, summary")) return false;
  current().querySelector("[data-cell=main] a").click();
});
on(" ", (event) => (event.target.closest("button, summary, input") ? false : preview()));
on("x", () => toggle(current()));
on("Shift+x", () => toggle(current(), true));
on("l", (event) => withSelection(event, "bulk-label"));
on("q", (event) => withSelection(event, "bulk-queue"));
on("e", (event) => withSelection(event, "bulk-promote"));
on("a", () => takeAll());
on("f", () => verdict("fail"));
on("p", () => verdict("pass"));
on("u", () => verdict("unsure"));
on("Escape", (event) => (typing(event.target) ? false : clear()));

document.addEventListener("change", (event) => {
  if (event.target.id === "select-all") for (const row of rows()) box(row).checked = event.target.checked;
  if (event.target.matches("#select-all, #rows input[name=trace]")) {
    lastSelected = event.target.closest("tr");
    counted();
  }
});

document.addEventListener("click", async (event) => {
  if (event.target.closest("#bulk-clear")) clear();
  if (event.target.closest("#bulk-all")) takeAll();
  const pop = event.target.closest("[data-pop]");
  if (pop) {
    go(pop.closest("tr"));
    withSelection(event, pop.dataset.pop);
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(new URL(copy.dataset.copy, location.href).href);
    toast("Link copied", "link");
  }
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest("#rows > tr[data-trace]");
  if (!row || row === current()) return;
  current()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
});

document.addEventListener("scroll", (event) => {
  const box = event.target;
  if (box.id === "results-scroll" && box.scrollHeight - box.scrollTop - box.clientHeight < 400) loadMore();
}, { capture: true, passive: true });

// The browser knows its time zone, the server prints the times.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;

// Columns move at once; the form keeps their order when it is sent.
document.addEventListener("click", (event) => {
  const up = event.target.closest(".columns button[name=up]");
  const item = up?.closest("li");
  if (!item?.previousElementSibling) return;
  event.preventDefault();
  item.previousElementSibling.before(item);
  up.focus();
});

// Rows that are being replaced show that they wait, but only when an answer takes longer than most:
// to veil hundreds of cells costs more time than such an answer.
const WAIT_MS = 300;
const REPLACING = ":is(a, form:not(#row-verdict)).htmx-request";

function veil(when) {
  const main = document.getElementById("main");
  main.toggleAttribute("data-waits", when(main));
}
document.addEventListener("htmx:before:request", () => {
  setTimeout(veil, WAIT_MS, (main) => main.querySelector(REPLACING) !== null);
});
for (const over of ["htmx:after:swap", "htmx:finally:request"]) {
  document.addEventListener(over, () => veil((main) => main.hasAttribute("data-waits") && main.querySelector(REPLACING) !== null));
}

// What a person folded stays folded when the facets are counted anew.
const folded = new Map();
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("details.facet")) folded.set(event.target.id, event.target.open);
}, { capture: true });

let where = null; // the trace of the current row, which a swap may replace
document.addEventListener("htmx:before:swap", () => { where = current()?.dataset.trace ?? null; });
document.addEventListener("htmx:after:swap", () => {
  const row = where && document.getElementById(`t-${where}`);
  if (row && !current()) row.setAttribute("aria-current", "true");
  for (const [id, open] of folded) document.getElementById(id)?.toggleAttribute("open", open);
  const shown = document.getElementById("shown");
  if (shown) shown.textContent = rows().length.toLocaleString("en");
  counted();
});
counted();

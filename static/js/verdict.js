// The verdict panel: severity by brackets, submit by command and Enter, and a draft that survives
// a lost connection. What was typed stays in this browser until the server has taken it.

import { drop, keep, kept } from "tracehub/kept";
import { on } from "tracehub/keys";
import { problem } from "tracehub/shell";

const FIELDS = ["verdict", "modes", "new_mode", "severity", "note", "corrected", "promote", "eval_set", "new_set", "kind", "submission", "failing_span"];

const form = () => document.querySelector("form[data-verdict]");
const key = () => `verdict:${form().dataset.draft}`;

function read(from) {
  const data = new FormData(from);
  return Object.fromEntries(FIELDS.map((name) => [name, data.getAll(name)]));
}

const hold = () => keep(key(), read(form()));

function forget() {
  drop(key());
  document.querySelector("[data-kept]").hidden = true;
}

function fill(to, values) {
  for (const field of to.elements) {
    const chosen = values[field.name];
    if (!FIELDS.includes(field.name) || !Array.isArray(chosen)) continue;
    if (field.type === "radio" || field.type === "checkbox") field.checked = chosen.includes(field.value);
    else field.value = chosen[0] ?? "";
    if (field.value && field.closest("details") && field.type !== "checkbox") field.closest("details").open = true;
  }
}

function restore() {
  const values = kept(key());
  if (!values) return;
  fill(form(), values);
  document.querySelector("[data-kept]").hidden = false;
}

function show() {
  const from = form();
  const chosen = from.querySelectorAll('[name="modes"]:checked').length;
  from.querySelector("[data-chosen]").textContent = chosen ? `${chosen} chosen` : "";
  showPin(from);
  if (!from.elements.promote) return;
  const promoted = from.elements.promote.checked;
  for (const element of [from.elements.eval_set, from.querySelector("[data-kinds]").closest("fieldset")]) element.hidden = !promoted;
  from.elements.new_set.hidden = !promoted || from.elements.eval_set.value !== "+";
}

/** The pinned step by the name that the tree gives it. */
function showPin(from) {
  for (const button of from.querySelectorAll("[data-start-from], [data-pin]")) button.hidden = false;
  const pinned = from.elements.failing_span.value;
  const row = pinned && document.querySelector(`[role="treegrid"] [data-span="${CSS.escape(pinned)}"] .span__link > .truncate`);
  const button = from.querySelector("[data-pin]");
  button.setAttribute("aria-pressed", pinned ? "true" : "false");
  button.querySelector("[data-pin-name]").textContent = pinned ? `Fails first at ${row?.textContent.trim() ?? pinned}` : "Pin the failing step";
}

function step(by) {
  return () => {
    const choices = [...form().querySelectorAll("[data-severity] input")];
    const at = choices.findIndex((choice) => choice.checked);
    choices[Math.min(choices.length - 1, Math.max(0, at + by))].click();
  };
}

function start() {
  restore();
  show();
}

document.addEventListener("input", (event) => {
  if (!event.target.closest("form[data-verdict]")) return;
  if (event.target.name === "verdict" && form().elements.kind && form().elements.kind.value !== "risky_edge" && form().elements.kind.value !== "format") {
    form().elements.kind.value = event.target.value === "pass" ? "success" : "known_failure";
  }
  show();
  hold();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-pin]")) {
    const field = form().elements.failing_span;
    const selected = document.querySelector("[data-pane]")?.dataset.pane ?? "";
    field.value = field.value === selected ? "" : selected;
    show();
    hold();
  }
  if (event.target.closest("[data-discard]")) {
    forget();
    form().reset();
    show();
  }
  const from = event.target.closest("[data-start-from]");
  if (from) {
    const field = form().elements.corrected;
    field.value = JSON.parse(document.getElementById(from.dataset.startFrom).textContent);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
});
on("[", step(-1));
on("]", step(1));
on("Mod+Enter", (event) => {
  if (event.target.closest?.("dialog") || event.target.getAttribute?.("form")) return false; // not of the verdict
  form().requestSubmit(form().querySelector("[data-submit]"));
});

const ours = (event) => event.detail.ctx?.sourceElement === form();
function lost(event) {
  if (!ours(event) || event.detail.ctx.response?.status === 422) return;
  hold();
  const status = event.detail.ctx.response?.status;
  const title = status && status < 500 ? "Your verdict was not taken" : "The server did not answer";
  problem(title, "Your verdict and note are kept in this browser.", () => form().requestSubmit(), form());
}
document.addEventListener("htmx:error", lost);
document.addEventListener("htmx:response:error", lost);
document.addEventListener("htmx:after:request", (event) => {
  if (ours(event) && event.detail.ctx.response?.status === 204) forget();
});
document.addEventListener("htmx:after:swap", (event) => {
  if (form() && document.getElementById("review")?.contains(form()) && event.detail.ctx?.target?.id === "review") show();
});
document.addEventListener("trace:shown", start);
start();

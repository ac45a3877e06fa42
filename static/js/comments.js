// Comments and notes on passages: what was typed stays in this browser until it stands on the page,
// so that a lost connection, an expired session or a closed laptop loses no words.

import { drop, keep, kept } from "tracehub/kept";
import { problem } from "tracehub/shell";

const FORMS = { say: "#talk", passage: "[data-passage] form" };
const FIELDS = ["text", "span", "quote", "prefix"];

const form = (kind) => document.querySelector(FORMS[kind]);
const key = (kind) => `comment:${kind}:${document.getElementById("talk").dataset.draft}`;
const kindOf = (of) => Object.keys(FORMS).find((kind) => of?.matches(FORMS[kind]));

function hold(kind) {
  const { elements } = form(kind);
  if (!elements.text.value.trim()) return drop(key(kind));
  const values = Object.fromEntries(FIELDS.filter((name) => elements[name]).map((name) => [name, elements[name].value]));
  keep(key(kind), values);
}

/** Whether a comment of these words is on the page: then it was taken. */
function stands(text) {
  const said = [...document.querySelectorAll(".talk [id^=comment-] .text")];
  return said.some((node) => node.textContent.trim() === text.trim());
}

function restore(kind) {
  const values = kept(key(kind));
  if (!values) return false;
  if (stands(values.text)) return void drop(key(kind));
  for (const [name, value] of Object.entries(values)) form(kind).elements[name].value = value;
  return true;
}

function begin() {
  if (!document.getElementById("talk")) return;
  const [said, noted] = [restore("say"), restore("passage")];
  const line = document.querySelector("[data-kept-comment]");
  line.hidden = !said && !noted;
  line.querySelector("[data-open-passage]").hidden = !noted;
}

/** Send a comment and load the page with it; without an answer it stays where it was typed. */
async function send(kind) {
  const of = form(kind);
  const again = () => send(kind);
  let answer;
  try {
    answer = await fetch(of.action, { method: "POST", body: new URLSearchParams(new FormData(of)), redirect: "manual" });
  } catch {
    document.querySelector("[data-passage]").close();
    begin();
    return problem("The server did not answer", "Your comment is kept in this browser.", again, of);
  }
  if (answer.type === "opaqueredirect") return location.reload();
  problem("Your comment was not taken", `The server answered ${answer.status}. It is kept in this browser.`, again, of);
}

document.addEventListener("input", (event) => {
  const kind = kindOf(event.target.form);
  if (kind && event.target.name === "text") hold(kind);
});
document.addEventListener("submit", (event) => {
  const kind = kindOf(event.target);
  if (!kind || event.submitter?.name) return; // removing one is no comment
  event.preventDefault();
  hold(kind);
  if (form(kind).elements.text.value.trim()) send(kind);
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-open-passage]")) return;
  const dialog = document.querySelector("[data-passage]");
  dialog.querySelector("[data-passage-quote]").textContent = form("passage").elements.quote.value;
  dialog.showModal();
});
document.addEventListener("trace:shown", begin);
begin();

// Sessions and users by keyboard: rows of a list, turns of a conversation.

import { on } from "tracehub/keys";
import { toast } from "tracehub/shell";

const turns = () => [...document.querySelectorAll(".session li[data-trace]")];
const rows = () => [...document.querySelectorAll("#threads > tr")];
const at = (all) => all.findIndex((one) => one.getAttribute("aria-current") === "true");

function mark(all, chosen) {
  for (const one of all) one.removeAttribute("aria-current");
  chosen?.setAttribute("aria-current", "true");
}

// The verdict, and what is kept as a case, follow the turn that is looked at; so does the address.
function toTurn(turn) {
  const { number, trace } = turn.dataset;
  mark(turns(), turn);
  mark([...document.querySelectorAll(".pane .item")], document.querySelector(`.pane .item[data-number="${number}"]`));
  for (const word of document.querySelectorAll("[data-turn-number]")) word.textContent = number;
  for (const words of document.querySelectorAll("[data-turns]")) words.textContent = number > 1 ? `turns 1 to ${number}` : "turn 1";
  for (const word of document.querySelectorAll("[data-turn-yours]")) word.hidden = !turn.dataset.mine;
  for (const field of document.querySelectorAll("[data-turn-trace]")) field.value = trace;
  for (const link of document.querySelectorAll("[data-turn-case]")) {
    link.href = link.getAttribute("href").replace(/[0-9a-f]{32}/, trace);
  }
  for (const button of document.querySelectorAll("[data-verdict-form] [name=act]")) {
    const [verdict] = button.value.split(":");
    button.value = `${verdict}:${trace}`;
    button.setAttribute("aria-pressed", String(verdict === "pin" ? "pinned" in turn.dataset : verdict === turn.dataset.mine));
  }
  const url = new URL(location.href);
  url.searchParams.set("turn", number);
  url.hash = "";
  history.replaceState(history.state, "", url);
  for (const field of document.querySelectorAll("main [name=next]")) field.value = url.pathname + url.search;
  turn.scrollIntoView({ block: "nearest" });
  turn.focus({ preventScroll: true });
}

function step(by) {
  const talk = turns();
  if (talk.length) return toTurn(talk[Math.min(talk.length - 1, Math.max(0, at(talk) + by))]);
  const list = rows();
  if (!list.length) return false;
  const row = list[Math.min(list.length - 1, Math.max(0, at(list) + by))];
  mark(list, row);
  row.querySelector("[data-cell=main] a").focus();
}

on("j", () => step(1));
on("k", () => step(-1));
on("o", () => {
  const wrong = document.querySelector(".session li[data-wrong]");
  return wrong ? toTurn(wrong) : false;
});
on("Enter", (event) => {
  if (event.target.closest("a, button, summary, input")) return false;
  const current = turns()[at(turns())];
  if (!current) return false;
  current.querySelector("[data-open]").click();
});
document.addEventListener("click", async (event) => {
  const item = event.target.closest(".pane .item[data-number]");
  if (item) {
    event.preventDefault();
    toTurn(document.getElementById(`t${item.dataset.number}`));
  } else if (event.target.closest("[data-copy-link]") && navigator.clipboard) {
    await navigator.clipboard.writeText(location.href);
    toast("Link copied", "copy");
  }
});

// The frame of every page: toasts that leave after 6 s, problems said in place, `c` copies the link.

import { on } from "tracehub/keys";

const TOAST_MS = 6000;

/** Build an element: el("p", {class: "small"}, "text", child). */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** An icon of the sprite. */
export function icon(name, size = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", size ? `icon icon--${size}` : "icon");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Say something that was done, for 6 s. What can be undone comes from the server as HTML. */
export function toast(text, name = "pass") {
  const region = document.getElementById("toast");
  region.replaceChildren(el("div", { class: "toast" }, icon(name, "sm"), el("span", {}, text)));
}

let failed = null; // only what this element asks for takes the problem away; null: any answer

/** Say what went wrong above the content, until `of` (or anything, without it) has an answer. */
export function problem(title, text, again, of = null) {
  failed = of;
  const button = again && el("button", { type: "button", class: "btn btn--sm" }, icon("retry", "sm"), "Try again");
  button?.addEventListener("click", again);
  document.getElementById("problem")?.replaceChildren(
    el("div", { class: "banner", "data-tone": "fail" }, icon("failures"),
      el("div", { class: "grow" }, el("p", { class: "medium" }, title), el("p", { class: "small soft" }, text)),
      ...(button ? [button] : [])),
  );
}

export function solved() {
  failed = null;
  document.getElementById("problem")?.replaceChildren();
}

function watchToasts() {
  const region = document.getElementById("toast");
  let timer = 0;
  const leave = () => region.replaceChildren();
  const start = () => { clearTimeout(timer); if (region.childElementCount) timer = setTimeout(leave, TOAST_MS); };
  const pause = () => clearTimeout(timer);
  new MutationObserver(start).observe(region, { childList: true });
  region.addEventListener("mouseenter", pause);
  region.addEventListener("focusin", pause);
  region.addEventListener("mouseleave", start);
  region.addEventListener("focusout", start);
  start();
}

const REASONS = {
  400: "The server did not take what was sent. Reload the page and try again.",
  403: "You may not do this in this project, or the page is out of date. Reload it.",
  404: "It is not here any more.",
  503: "The server is busy or its database is away. It comes back by itself.",
};

document.addEventListener("htmx:response:error", (event) => {
  const ctx = event.detail.ctx;
  if (ctx.hx.redirect || ctx.sourceElement.hasAttribute(`hx-status:${ctx.response.status}`)) return;
  problem("That did not work", REASONS[ctx.response.status] ?? `The server answered ${ctx.response.status}.`);
});
document.addEventListener("htmx:error", (event) => {
  if (!event.detail.ctx) return;
  problem("The server did not answer", "Nothing was changed. Check the connection.", () => location.reload());
});
// What loads by itself beside a verdict that was lost must not take the words about it away.
document.addEventListener("htmx:after:swap", (event) => {
  if (!failed?.isConnected || failed === event.detail.ctx?.sourceElement) solved();
});

// Menus made of <details> close like popovers do: on escape and on a click elsewhere.
const openMenus = () => [...document.querySelectorAll("details.menu[open]")];
document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});

// Arrows go through the choices of an open menu, around its ends.
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu || !by || event.target.matches("select, textarea")) return;
  const choices = [...menu.querySelectorAll(".menu__item")].map((one) => one.matches("a, button") ? one : one.querySelector("input, button")).filter((one) => one?.checkVisibility());
  if (!choices.length) return;
  event.preventDefault();
  const at = choices.indexOf(event.target);
  choices[at < 0 && by < 0 ? choices.length - 1 : (at + by + choices.length) % choices.length].focus();
});

// Enter in a field of a menu presses the button beside it, not the first one of the form.
document.addEventListener("keydown", (event) => {
  const button = event.key === "Enter" && event.target.matches(".menu__item > input") && event.target.parentElement.querySelector("button");
  if (!button) return;
  event.preventDefault();
  button.click();
});

on("c", async () => {
  await navigator.clipboard.writeText(location.href);
  toast("Link copied", "link");
});
on("Escape", (event) => {
  const [menu] = openMenus();
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (event.target.matches("input, textarea, select")) event.target.blur();
  else return false;
});
watchToasts();

// Live asks every 3 s whether newer traces came, and offers them; rows never move by themselves. When
// the server does not answer it counts down and asks again by itself, each time after twice as long.

import { el, icon, solved } from "tracehub/shell";

const ASK_S = 3;
const PATIENCE_S = [8, 16, 32, 60];
let on = false;
let timer = 0;
let tries = 0; // in a row without an answer
let left = 0; // seconds to the next one of them

const button = () => document.getElementById("live");

function ask() {
  if (document.visibilityState === "visible") button()?.dispatchEvent(new Event("poll"));
}

function set(state) {
  on = state;
  tries = 0;
  clearInterval(timer);
  if (on) timer = setInterval(ask, ASK_S * 1000);
  else document.getElementById("newer")?.replaceChildren();
  button()?.setAttribute("aria-pressed", String(on));
}

/** Say for how long it waits, what waits already, and what can be done now. */
function paused() {
  const offer = document.querySelector("#newer .newer a, #problem [data-newer]");
  const waiting = offer && /[\d,]+( or more)?/.exec(offer.textContent)?.[0];
  const words = el("p", { class: "small soft", "aria-live": "off" });
  const tell = () => {
    words.textContent = `Reconnecting in ${left} s.${waiting ? ` ${waiting} new traces are waiting.` : ""}`;
  };
  const now = el("button", { type: "button", class: "btn btn--sm btn--ghost" }, "Try now");
  now.addEventListener("click", again);
  document.getElementById("newer").replaceChildren();
  document.getElementById("problem").replaceChildren(
    el("div", { class: "banner", "data-tone": "neutral" }, icon("bolt"),
      el("div", { class: "grow" }, el("p", { class: "medium" }, "Live updates paused"), words), now,
      ...(waiting ? [el("a", { class: "btn btn--sm", href: offer.href, "data-newer": "" }, `Show ${waiting}`)] : [])),
  );
  left = PATIENCE_S[Math.min(tries, PATIENCE_S.length) - 1];
  tell();
  timer = setInterval(() => {
    left -= 1;
    if (left > 0) tell();
    else again();
  }, 1000);
}

function again() {
  clearInterval(timer);
  ask();
  // Unseen it waits: the page asks when it is looked at.
  if (document.visibilityState !== "visible") document.addEventListener("visibilitychange", ask, { once: true });
}

// After the general notice, which this replaces; the next answer takes it away.
function lost(event) {
  if (!on || event.detail.ctx?.sourceElement?.id !== "live") return;
  clearInterval(timer);
  tries += 1;
  paused();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#live")) set(!on);
});
document.addEventListener("htmx:error", lost);
document.addEventListener("htmx:response:error", lost);
document.addEventListener("htmx:after:swap", (event) => {
  button()?.setAttribute("aria-pressed", String(on));
  if (!tries || event.detail.ctx?.sourceElement?.id !== "live") return;
  solved();
  set(true);
});

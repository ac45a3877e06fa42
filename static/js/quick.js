// Working through a queue: the next trace is fetched while this one is read, a verdict shows it at
// once, and what was said goes to the server behind it. Until the server has taken a verdict it
// stays in this browser, so a lost connection, a closed tab or a closed laptop loses nothing.

import { drop, keep, outbox } from "tracehub/kept";
import { on, typing } from "tracehub/keys";
import { el, icon, problem, solved } from "tracehub/shell";

const AGAIN_MS = 3000;
const REMEMBERED = 20;
const DAY_MS = 86_400_000; // the longest time that counts: a page may stay open longer

const form = () => document.querySelector("form[data-queue]");
const quick = () => form()?.querySelector("[data-quick]").checked && document.body.dataset.keys !== "off";
const recent = []; // traces whose verdict may still be on its way
let shownAt = performance.now();
// Where the project wants it: ms from the last key to the trace, to the first key, and of a save.
let pressedAt = 0;
let firstKeyAt = 0;
let savedIn = "";
let ahead = null;
let busy = false;
let sending = null;
let undo = "";
let standing = ""; // what was said of an earlier verdict stays when the next trace comes

/** Fetch the page of the next trace; null when the server does not answer. */
async function fetchNext(url) {
  try {
    const answer = await fetch(url);
    if (!answer.ok) return null;
    return { url: answer.url, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
  } catch {
    return null; // said when it is needed
  }
}

function lookAhead() {
  const url = new URL(form().dataset.next, location.href);
  if (recent.length) url.searchParams.set("not", recent.join(","));
  ahead = fetchNext(url);
}

function show({ url, page }) {
  if (!page.querySelector("form[data-queue]")) return void sent().then(() => location.assign(url));
  // The nonce of that answer becomes ours on its own elements; what came from outside has none.
  const [ours, theirs] = [document.body, page.body].map((body) => body.getAttribute("hx-nonce"));
  for (const node of page.querySelectorAll("main [hx-nonce]")) {
    if (node.getAttribute("hx-nonce") === theirs) node.setAttribute("hx-nonce", ours);
  }
  const main = document.getElementById("main");
  const said = document.getElementById("problem");
  main.replaceChildren(...page.getElementById("main").childNodes);
  if (standing) document.getElementById("problem").replaceWith(said);
  document.title = page.title;
  history.pushState({ quick: true }, "", url);
  window.htmx.process(main);
  main.focus({ preventScroll: true });
  shownAt = performance.now();
  firstKeyAt = 0;
  busy = false;
  document.dispatchEvent(new Event("trace:shown"));
  lookAhead();
}

async function submit() {
  const from = form();
  if (busy || !from.reportValidity()) return;
  busy = true;
  from.elements.took_ms.value = Math.min(DAY_MS, Math.round(performance.now() - shownAt));
  if (from.elements.timing) from.elements.timing.value = [shownAt - pressedAt, firstKeyAt && firstKeyAt - shownAt, savedIn].map((ms) => ms && Math.round(ms)).join(",");
  pressedAt = performance.now();
  const job = { url: from.action, body: new URLSearchParams(new FormData(from)).toString(), here: location.href, draft: from.dataset.draft };
  outbox.put([...outbox.jobs(), job]);
  drop(`verdict:${from.dataset.draft}`);
  recent.push(from.dataset.trace);
  recent.splice(0, recent.length - REMEMBERED);
  undo = "";
  sent();
  goOn(await ahead);
}

function goOn(next) {
  if (next) return show(next);
  problem("The server did not answer", "Your verdicts are kept in this browser and are sent when it is back.", async () => {
    lookAhead();
    goOn(await ahead);
  });
}

/** Send what waits, one after the other. Resolves when nothing waits, or the server is away. */
function sent() {
  sending ??= sendAll().finally(() => { sending = null; });
  return sending;
}

async function sendAll() {
  for (let [job] = outbox.jobs(); job; [job] = outbox.jobs()) {
    const began = performance.now();
    const answer = await post({ url: job.url, body: withToken(job.body) });
    savedIn = performance.now() - began;
    if (!answer || answer.status >= 500 || answer.status === 429) {
      setTimeout(sent, AGAIN_MS);
      return;
    }
    const read = answer.headers.get("Content-Type")?.startsWith("application/json");
    if (!read && answer.status !== 404) return notTaken();
    // Another tab may have sent it as well: that is one review, and only this job goes.
    outbox.put(outbox.jobs().filter((other) => other.body !== job.body));
    if (standing === "session") {
      solved();
      standing = "";
    }
    if (answer.ok) taken(await answer.json());
    else refused(job, answer);
  }
}

/** The token of the page that sends: that of a session which is over would be refused. */
function withToken(body) {
  const data = new URLSearchParams(body);
  const token = form()?.elements.csrfmiddlewaretoken.value;
  if (token) data.set("csrfmiddlewaretoken", token);
  return data.toString();
}

function notTaken() {
  standing = "session";
  problem("Your verdicts are not taken at the moment", "They are kept in this browser. Sign in again and open the queue.", () => location.reload(), document.body);
}

async function post(job) {
  const headers = { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" };
  try {
    return await fetch(job.url, { method: "POST", body: job.body, headers });
  } catch {
    return null; // tried again
  }
}

function taken({ said, icon: name, undo: url }) {
  undo = url;
  const button = el("button", { type: "button", class: "btn btn--sm", "data-undo": "" }, "Undo", el("kbd", { class: "kbd" }, "z"));
  document.getElementById("toast").replaceChildren(el("div", { class: "toast" }, icon(name, "sm"), el("span", {}, said), button));
}

/** What the server cannot take becomes the draft of its trace again. */
async function refused(job, answer) {
  const data = new URLSearchParams(job.body);
  const values = Object.fromEntries([...new Set(data.keys())].map((name) => [name, data.getAll(name)]));
  keep(`verdict:${job.draft}`, values);
  const { errors = [] } = answer.status === 422 ? await answer.json() : {};
  standing = "verdict";
  problem("A verdict was not taken", errors.join(" ") || `The server answered ${answer.status}.`, () => location.assign(job.here), document.body);
}

/** Take the last verdict back: go to its trace, which is one's turn again. */
async function takeBack() {
  await sent();
  if (!undo) return;
  const token = form().elements.csrfmiddlewaretoken.value;
  const back = el("form", { method: "post", action: undo, hidden: "" }, el("input", { name: "csrfmiddlewaretoken", value: token }));
  document.body.append(back);
  back.submit();
}

function say(verdict) {
  const choice = form().querySelector(`[name="verdict"][value="${verdict}"]`);
  choice.checked = true;
  choice.dispatchEvent(new Event("input", { bubbles: true }));
}

function quickly(verdict) {
  return () => {
    if (!quick()) return false;
    say(verdict);
    submit();
  };
}

function fail() {
  if (!quick()) return false;
  say("fail");
  form().elements.note.focus();
}

function digit(event) {
  return event.ctrlKey || event.metaKey || event.altKey ? 0 : Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1] ?? 0);
}

/** Choose a failure mode by its number; `keepOn` adds it without submitting. */
function choose(number, keepOn) {
  const box = form().querySelectorAll('[name="modes"]')[number - 1];
  if (!box) return;
  box.checked = keepOn ? !box.checked : true;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  if (!keepOn) submit();
}

for (const kind of ["keydown", "pointerdown"]) {
  document.addEventListener(kind, () => { firstKeyAt ||= performance.now(); }, true);
}
// After `f` the cursor is in the note: a digit is a mode as long as the note is empty.
document.addEventListener("keydown", (event) => {
  if (!quick() || event.isComposing) return;
  const note = form().elements.note;
  const inNote = event.target === note && form().elements.verdict.value === "fail";
  const number = digit(event);
  if (inNote && event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey) submit();
  else if (inNote && number && !note.value) choose(number, event.shiftKey);
  else if (number && event.shiftKey && !typing(event.target)) choose(number, true);
  else return;
  event.preventDefault();
});

document.addEventListener("submit", (event) => {
  if (event.target !== form() || event.submitter?.hasAttribute("formaction")) return;
  event.preventDefault();
  submit();
});
document.addEventListener("change", async (event) => {
  if (!event.target.matches("[data-quick]")) return;
  const token = form().elements.csrfmiddlewaretoken.value;
  const body = new URLSearchParams({ csrfmiddlewaretoken: token, quick: event.target.checked ? "on" : "" });
  const answer = await post({ url: event.target.dataset.url, body });
  if (!answer?.ok) problem("The switch was not kept", "It holds for this page only.");
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-undo]")) takeBack();
});

on("s", () => {
  const menu = form().querySelector(".trace__submit details");
  menu.open = true;
  menu.querySelector("button").focus();
});
on("p", quickly("pass"));
on("u", quickly("unsure"));
on("f", fail);
on("z", () => (undo || sending ? void takeBack() : false));
// Enter submits what was chosen. Without a verdict a mode says fail, and a case what it is kept for.
function implied() {
  const { promote, kind } = form().elements;
  if (form().querySelector('[name="modes"]:checked')) return "fail";
  if (!promote?.checked) return "";
  return kind.value === "success" ? "pass" : "fail";
}
on("Enter", (event) => {
  if (!quick() || event.target.closest?.("a, button, summary, [data-span]")) return false;
  const verdict = form().elements.verdict.value || implied();
  if (!verdict) return false;
  if (!form().elements.verdict.value) say(verdict);
  submit();
});
window.addEventListener("online", sent);
window.addEventListener("popstate", () => location.reload());
sent();
lookAhead();

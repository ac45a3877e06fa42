// Keyboard: `data-key="g t"` on a link, button or field makes the key press, follow or focus it.
// Pages add their own with `on`. Single keys are off while a field has focus, while a modifier is
// held, and for people who turned them off (data-keys="off" on body); Escape always works.

const handlers = new Map();
const SEQUENCE_MS = 1000;
let prefix = "";
let prefixTimer = 0;

/** Call `handler(event)` for `key` ("j", "Shift+x", "Escape"); it returns false to pass it on. */
export function on(key, handler) {
  handlers.set(key, [...(handlers.get(key) ?? []), handler]);
}

/** Tell whether keys typed now belong to a field. */
export function typing(target) {
  return target.isContentEditable || target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select");
}

function visible(element) {
  return element.checkVisibility();
}

function name(event) {
  const command = event.metaKey || event.ctrlKey ? "Mod+" : "";
  const shift = event.shiftKey && (event.key.length > 1 || /^[a-z]$/i.test(event.key)) ? "Shift+" : "";
  return command + shift + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
}

function press(element) {
  if (element.matches("input:not([type=checkbox], [type=radio], [type=submit]), textarea, select")) element.focus();
  else element.click();
  // A menu that a key opened is worked by keys: its first choice is next.
  if (element.matches("details.menu[open] > summary")) element.nextElementSibling.querySelector("a, button, input:not([type=hidden])")?.focus();
}

function find(keys) {
  return [...document.querySelectorAll(`[data-key="${CSS.escape(keys)}"]`)].find(visible);
}

function begins(keys) {
  return document.querySelector(`[data-key^="${CSS.escape(keys + " ")}"]`) !== null;
}

function run(key, event) {
  for (const handler of [...(handlers.get(key) ?? [])].reverse()) {
    if (handler(event) !== false) return true;
  }
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const key = name(event);
  const held = key.startsWith("Mod+");
  if (key !== "Escape" && !held) {
    if (typing(event.target) || document.body.dataset.keys === "off") return;
    if (document.querySelector("dialog[open], [role=dialog]:popover-open")) return;
  }
  clearTimeout(prefixTimer);
  const keys = prefix ? `${prefix} ${key}` : key;
  prefix = "";
  const element = held ? null : find(keys);
  if (run(keys, event) || (element && (press(element), true))) {
    event.preventDefault();
  } else if (!held && begins(keys)) {
    prefix = keys;
    prefixTimer = setTimeout(() => { prefix = ""; }, SEQUENCE_MS);
    event.preventDefault();
  }
});

function nameCommand() {
  for (const kbd of document.querySelectorAll("kbd")) if (kbd.textContent === "⌘") kbd.textContent = "Ctrl";
}
if (!/mac/i.test(navigator.platform)) {
  nameCommand();
  for (const swapped of ["htmx:after:swap", "trace:shown"]) document.addEventListener(swapped, nameCommand);
}

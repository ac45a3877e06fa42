// The histogram: drag over bars, or choose them with the arrows, to see that time alone.

const svg = () => document.getElementById("hist");
const groups = () => [...svg().querySelectorAll("g:not(.hist__mark)")];
let from = null; // the bar where the brush began, and the one where it is
let to = null;
let dragging = false;

function at(event) {
  const box = svg().getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  return Math.min(groups().length - 1, Math.max(0, Math.floor(share * groups().length)));
}

function show() {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  const brush = document.getElementById("hist-brush");
  brush.setAttribute("x", String(first * 10));
  brush.setAttribute("width", String(from === null ? 0 : (last - first + 1) * 10 - 1));
  svg().setAttribute("aria-valuenow", String((to ?? 0) + 1));
  const titles = groups().map((group) => group.querySelector("title").textContent);
  const said = first === last ? titles[first] : `${titles[first].split(": ")[0]} to ${titles[last]}`;
  svg().setAttribute("aria-valuetext", from === null ? "nothing chosen" : said);
}

function clear() {
  from = to = null;
  dragging = false;
  if (svg()) show();
}

function zoom() {
  const { start, step } = svg().dataset;
  const moment = (bar) => new Date((Number(start) + bar * Number(step)) * 1000).toISOString().replace(".000Z", "Z");
  const form = document.getElementById("hist-zoom");
  form.elements.from.value = moment(Math.min(from, to));
  form.elements.to.value = moment(Math.max(from, to) + 1);
  clear();
  form.requestSubmit();
}

document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest("#hist") || event.button !== 0) return;
  dragging = true;
  from = to = at(event);
  svg().setPointerCapture(event.pointerId);
  show();
});
document.addEventListener("pointermove", (event) => {
  if (!dragging || !svg()) return;
  to = at(event);
  show();
});
document.addEventListener("pointerup", () => {
  if (!dragging) return;
  dragging = false;
  if (svg() && from !== null) zoom();
});
document.addEventListener("pointercancel", clear);

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "hist") return;
  const last = groups().length - 1;
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last };
  if (event.key in steps) {
    to = to === null ? (steps[event.key] < 0 ? last : 0) : Math.min(last, Math.max(0, to + steps[event.key]));
    if (!event.shiftKey || from === null) from = to;
    show();
  } else if (event.key === "Enter" && from !== null) {
    zoom();
  } else if (event.key === "Escape" && from !== null) {
    clear();
  } else {
    return;
  }
  event.preventDefault();
});
document.addEventListener("htmx:after:swap", () => { if (!dragging) from = to = null; });

// Draws the figures that the server built. Colours in them are names of our tokens: what they are
// in the theme at hand is asked of the page when drawing.

/* global Plotly */

const CONFIG = {
  displayModeBar: false,
  displaylogo: false,
  doubleClick: false,
  plotlyServerURL: "",
  responsive: true,
  scrollZoom: false,
  showSendToCloud: false,
  showTips: false,
  typesetMath: false,
};
const TOKEN = /^var\(--[a-z0-9-]+\)$/;

/** Return a function that turns `var(--line)` into the colour it has now. */
function palette() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const known = new Map();
  const look = (token) => {
    if (!known.has(token)) {
      probe.style.color = token;
      known.set(token, getComputedStyle(probe).color);
    }
    return known.get(token);
  };
  return { look, done: () => probe.remove() };
}

/** Return a copy of the figure with every token in it replaced. */
function themed(value, look) {
  if (typeof value === "string") return TOKEN.test(value) ? look(value) : value;
  if (Array.isArray(value)) return value.map((each) => themed(each, look));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, themed(each, look)]));
}

/** Plotly's text of a time, in UTC, as a date. */
function moment(text) {
  return new Date(`${String(text).replace(" ", "T")}Z`);
}

/** Open the traces from one time to another; `only` is the filter of the line that was chosen. */
function openTraces(plot, from, to, only) {
  if (Number.isNaN(from.valueOf()) || Number.isNaN(to.valueOf())) return;
  const query = new URLSearchParams({ from: from.toISOString(), to: to.toISOString() });
  const filter = only || plot.dataset.q;
  if (filter) query.set("q", filter);
  if (plot.dataset.sort) query.set("sort", plot.dataset.sort);
  location.assign(`${plot.dataset.traces}?${query}`);
}

function openStep(plot, point) {
  const from = moment(point.x);
  openTraces(plot, from, new Date(from.valueOf() + Number(plot.dataset.step)), point.data.meta);
}

/** Open the traces of the stretch that was brushed. */
function openRange(plot, event) {
  if (!event?.range?.x) return;
  const [from, to] = event.range.x.map(moment);
  openTraces(plot, from, to, "");
}

// A finger scrolls over a chart; a mouse brushes it.
const FINE = matchMedia("(pointer: fine)");

async function draw(plot, figure, look) {
  // A morph takes Plotly's drawing out of the page and leaves its memory on the element.
  if (!plot.querySelector(".main-svg")) {
    Plotly.purge(plot);
    plot.drawn = false;
  }
  const { data, layout } = themed(figure, look);
  layout.font.family = getComputedStyle(document.body).fontFamily;
  if (FINE.matches) layout.dragmode = "select";
  await Plotly.react(plot, data, layout, CONFIG);
  if (plot.drawn) return;
  plot.drawn = true;
  plot.on("plotly_click", (event) => openStep(plot, event.points[0]));
  plot.on("plotly_selected", (event) => openRange(plot, event));
}

let turn = 0; // of the drawing that counts: a swap begins another one

/** Draw one chart a frame, so that the first one is seen while the others are still to come. */
async function drawAll() {
  const source = document.getElementById("figures");
  if (!source) return;
  turn += 1;
  const mine = turn;
  const figures = JSON.parse(source.textContent);
  const { look, done } = palette();
  for (const plot of document.querySelectorAll("[data-figure]")) {
    if (mine !== turn) break;
    await draw(plot, figures[plot.dataset.figure], look);
    await new Promise(requestAnimationFrame);
  }
  done();
}

const TITLE_PX = 32;

/** Save a chart as it stands with its title, on the page's own background, at twice its size. */
async function savePicture(button) {
  const panel = button.closest(".panel");
  const plot = panel.querySelector("[data-figure]");
  const { look, done } = palette();
  const background = look("var(--surface)");
  const title = { text: panel.querySelector("h2").title, x: 0.02, font: { size: 13, color: look("var(--ink)") } };
  done();
  const { margin, height } = plot.layout;
  const layout = {
    ...plot.layout,
    paper_bgcolor: background,
    plot_bgcolor: background,
    title,
    margin: { ...margin, t: margin.t + TITLE_PX },
    height: height + TITLE_PX,
  };
  const picture = { data: plot.data, layout, config: CONFIG };
  const options = { format: "png", scale: 2, width: plot.clientWidth, height: layout.height };
  await Plotly.downloadImage(picture, { ...options, filename: button.dataset.png });
}

document.addEventListener("click", (event) => {
  const picture = event.target.closest(".chart__png");
  if (picture) {
    picture.closest("details").open = false;
    savePicture(picture);
    return;
  }
  const button = event.target.closest(".chart__switch");
  if (!button) return;
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  button.closest(".panel").toggleAttribute("data-table", open);
});
document.addEventListener("htmx:after:swap", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();

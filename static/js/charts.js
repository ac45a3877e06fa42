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

/** Open the traces behind the step that was chosen. */
function openTraces(plot, point) {
  const from = new Date(`${String(point.x).replace(" ", "T")}Z`);
  if (Number.isNaN(from.valueOf())) return;
  const to = new Date(from.valueOf() + Number(plot.dataset.step));
  const query = new URLSearchParams({ from: from.toISOString(), to: to.toISOString() });
  if (plot.dataset.q) query.set("q", plot.dataset.q);
  location.assign(`${plot.dataset.traces}?${query}`);
}

async function draw(plot, figure, look) {
  // A morph takes Plotly's drawing out of the page and leaves its memory on the element.
  if (!plot.querySelector(".main-svg")) {
    Plotly.purge(plot);
    plot.drawn = false;
  }
  const { data, layout } = themed(figure, look);
  layout.font.family = getComputedStyle(document.body).fontFamily;
  await Plotly.react(plot, data, layout, CONFIG);
  if (plot.drawn) return;
  plot.drawn = true;
  plot.on("plotly_click", (event) => openTraces(plot, event.points[0]));
}

async function drawAll() {
  const source = document.getElementById("figures");
  if (!source) return;
  const figures = JSON.parse(source.textContent);
  const { look, done } = palette();
  await Promise.all([...document.querySelectorAll("[data-figure]")]
    .map((plot) => draw(plot, figures[plot.dataset.figure], look)));
  done();
}

/** Save a chart as it stands, on the page's own background, at twice its size. */
async function savePicture(button) {
  const plot = button.closest(".panel").querySelector("[data-figure]");
  const { look, done } = palette();
  const background = look("var(--surface)");
  done();
  const layout = { ...plot.layout, paper_bgcolor: background, plot_bgcolor: background };
  const picture = { data: plot.data, layout, config: CONFIG };
  const options = { format: "png", scale: 2, width: plot.clientWidth, height: plot.clientHeight };
  await Plotly.downloadImage(picture, { ...options, filename: button.dataset.png });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".chart__switch");
  if (!button) return;
  if (button.dataset.png) {
    savePicture(button);
    return;
  }
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  button.closest(".panel").toggleAttribute("data-table", open);
});
document.addEventListener("htmx:after:swap", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();

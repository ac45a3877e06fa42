// The corrected output: a moment after the last key the server says what breaks its contract and
// what it changes. Typing never waits for it, and an older answer never replaces a newer one.

const PAUSE_MS = 300;
const field = () => document.querySelector("textarea[data-check]");
let timer = 0;
let asking = null;

async function check() {
  const from = field();
  const says = document.getElementById("corrected-says");
  asking?.abort();
  if (!from.value.trim()) return says.replaceChildren();
  asking = new AbortController();
  const token = from.form.elements.csrfmiddlewaretoken.value;
  const body = new URLSearchParams({ csrfmiddlewaretoken: token, corrected: from.value });
  try {
    const answer = await fetch(from.dataset.check, { method: "POST", body, signal: asking.signal });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    says.replaceChildren(...page.body.childNodes);
  } catch (error) {
    if (error.name !== "AbortError") says.textContent = "Not checked: the server does not answer. The text is kept.";
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(check, PAUSE_MS);
}

/** Check what is there already: an own review, a draft, or a form that came back. */
function begin() {
  if (field()?.value.trim()) check();
}

document.addEventListener("input", (event) => { if (event.target === field()) soon(); });
document.addEventListener("reset", (event) => { if (event.target === field()?.form) soon(); });
document.addEventListener("htmx:after:swap", (event) => { if (event.detail.ctx?.target?.id === "review") begin(); });
document.addEventListener("trace:shown", begin);
begin();

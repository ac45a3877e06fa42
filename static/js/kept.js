// What pages keep in this browser, each thing for the person who is signed in: drafts and filters for
// 7 days and until that person signs out, and verdicts until the server has taken them.

const KEEP_MS = 7 * 86_400_000;
const OUTBOX = "outbox";
const mine = `tracehub:${document.body.dataset.person}:`;

/** Every name that anybody's things have here. */
const names = () => Object.keys(localStorage).filter((name) => name.startsWith("tracehub"));
const read = (name) => JSON.parse(localStorage.getItem(name));

export const outbox = {
  jobs: () => read(mine + OUTBOX) ?? [],
  put: (jobs) => localStorage.setItem(mine + OUTBOX, JSON.stringify(jobs)),
};

/** Keep a value, which is anything that JSON holds. Throws where the browser's storage is off or full. */
export function keep(name, value) {
  localStorage.setItem(mine + name, JSON.stringify({ at: Date.now(), value }));
}

/** What was kept by this name, or null. */
export const kept = (name) => read(mine + name)?.value ?? null;

export const drop = (name) => localStorage.removeItem(mine + name);

function dropOld() {
  for (const name of names()) {
    if (!name.endsWith(`:${OUTBOX}`) && !(Date.now() - read(name).at < KEEP_MS)) localStorage.removeItem(name);
  }
}

/** Leave nothing to who comes next, but verdicts that would be lost: they wait for their own person. */
function dropMine() {
  for (const name of names().filter((name) => name.startsWith(mine))) {
    if (name !== mine + OUTBOX || !outbox.jobs().length) localStorage.removeItem(name);
  }
}

document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-sign-out]")) dropMine();
});
try {
  dropOld();
} catch {
  // Storage is off, or holds what is not ours: whoever keeps something says so.
}

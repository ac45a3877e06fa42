// The trace page: jump to the error, copy ids, links and JSON, close open menus.

import { on } from "tracehub/keys";
import { problem, toast } from "tracehub/shell";

async function copy(text, said) {
  if (!navigator.clipboard) return problem("Copying is not possible here", "Browsers allow it on https and localhost only.");
  await navigator.clipboard.writeText(text);
  toast(said, "copy");
}

async function copyFrom(url, said) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) return problem("That did not work", `The server answered ${answer.status}.`);
  await copy(await answer.text(), said);
}

function toError() {
  const line = document.getElementById("error");
  if (!line) return false;
  line.scrollIntoView({ block: "center" });
  line.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-copy-link], [data-copy-url], [data-error-link]");
  if (!button) return;
  if (button.dataset.copy) copy(button.dataset.copy, "Trace id copied");
  else if (button.dataset.copyUrl) copyFrom(button.dataset.copyUrl, button.dataset.said);
  else if (button.hasAttribute("data-copy-link")) copy(location.href, "Link copied");
  else if (toError() !== false) event.preventDefault();
});
on("o", toError);

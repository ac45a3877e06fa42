// Copies what is shown once: `data-copy-from="id"` on a button names the field. `c` presses it.

import { on } from "tracehub/keys";
import { problem, toast } from "tracehub/shell";

async function copyFrom(button) {
  const field = document.getElementById(button.dataset.copyFrom);
  field.select();
  if (!navigator.clipboard) {
    problem("Copying is not possible here", "Browsers allow it on https and localhost only. The text is selected: copy it by hand.");
    return;
  }
  await navigator.clipboard.writeText(field.value);
  toast("Copied", "copy");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy-from]");
  if (button) copyFrom(button);
});
on("c", () => {
  const button = document.querySelector("[data-copy-from]");
  if (!button) return false;
  copyFrom(button);
});

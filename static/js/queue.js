// The queue page: Enter goes on reviewing, unless it is pressed on something of its own.

import { on } from "tracehub/keys";

on("Enter", (event) => {
  if (event.target.closest?.("a, button, summary, input")) return false;
  const link = document.querySelector('[data-key="Enter"]');
  if (!link) return false;
  link.click();
});

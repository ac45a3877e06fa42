// A choice that acts at once: changing a field with `data-acts` sends its form.

import "tracehub/connect";

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-acts]")) event.target.form.requestSubmit();
});

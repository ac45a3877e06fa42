// Failure modes by typing: the field under the list narrows it, Enter chooses the first that is left,
// and what none of them matches is the name of a new one.

const field = () => document.getElementById("new-mode");
const options = () => [...document.querySelectorAll("form[data-verdict] .option")];
const words = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").match(/[\p{L}\p{N}]+/gu) ?? [];

/** Tell whether every typed word begins a word of the name. */
function matches(typed, option) {
  const name = words(option.querySelector(".truncate").textContent);
  return words(typed).every((word) => name.some((other) => other.startsWith(word)));
}

/** Narrow the list to `typed`. A name that others match is no new mode, unless `asNew` says so. */
function narrow(typed, asNew = false) {
  const wanted = words(typed).length > 0 && !asNew;
  const left = options().filter((option) => {
    option.hidden = wanted && !matches(typed, option);
    return !option.hidden;
  });
  const first = wanted ? left[0] : null;
  for (const option of options()) option.toggleAttribute("data-first", option === first);
  const may = "new" in field().dataset;
  if (may && !first) field().name = "new_mode";
  else field().removeAttribute("name");
  const said = document.querySelector("[data-mode-said]");
  if (first) said.textContent = `Enter: ${first.querySelector(".truncate").textContent}${may ? ". Shift and Enter: a new mode" : ""}`;
  else said.textContent = typed.trim() ? (may ? "A new mode, made when you submit" : "No mode of this name") : "";
}

function choose() {
  const box = document.querySelector(".option[data-first] input");
  if (!box) return false;
  field().value = "";
  narrow("");
  if (!box.checked) box.click();
  return true;
}

document.addEventListener("input", (event) => {
  if (event.target === field()) narrow(field().value);
}, true); // before the draft is kept, which goes by the name
document.addEventListener("keydown", (event) => {
  if (event.target !== field() || event.isComposing || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape") {
    field().value = "";
    narrow("");
  } else if (event.key !== "Enter") return;
  else if (event.shiftKey) narrow(field().value, true);
  else choose();
  event.preventDefault();
  event.stopPropagation();
  field().blur();
}, true);
// Its summary opens with the field ready to type in.
document.addEventListener("click", (event) => {
  const opener = event.target.closest(".new-mode > summary");
  if (!opener) return;
  if (opener.parentElement.open && !event.detail) event.preventDefault(); // the key again: to the field
  requestAnimationFrame(() => opener.parentElement.open && field().focus());
});

// The editor of a contract: code with the change against the version in force, its place and state,
// and the keys. Without this file the texts are plain fields of the same form.

import {
  EditorState, EditorView, HighlightStyle, bracketMatching, defaultKeymap, ensureSyntaxTree,
  forEachDiagnostic, highlightActiveLine, history, historyKeymap, indentUnit, json, jsonParseLinter,
  keymap, lineNumbers, linter, syntaxHighlighting, tags, unifiedMergeView,
} from "tracehub/editor";
import { on } from "tracehub/keys";

const nonce = document.body.getAttribute("hx-nonce");
const publish = document.getElementById("publish");
const place = document.getElementById("contract-place");
const state = document.getElementById("contract-state");
const views = new Map();

const theme = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "var(--t-12)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { font: "var(--t-12)/20px var(--mono)", letterSpacing: "-.01em" },
  ".cm-content": { padding: "var(--s-2) 0", caretColor: "var(--focus)" },
  ".cm-line": { padding: "0 var(--s-3) 0 4px" },
  ".cm-gutters": { backgroundColor: "transparent", border: "0", color: "var(--ink-3)" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "34px", padding: "0 var(--s-2) 0 0" },
  ".cm-quiet": { color: "var(--ink-3)" },
  ".cm-changedText .cm-quiet, .cm-deletedText .cm-quiet, .cm-quiet.cm-deletedText, .cm-quiet.cm-changedText": { color: "inherit" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine, .cm-activeLine.cm-changedLine": { boxShadow: "inset 2px 0 0 var(--ink)" },
  "&.cm-merge-b .cm-changedLine, & .cm-insertedLine, .cm-inlineChangedLine": { background: "var(--pass-tint)" },
  "&.cm-merge-b .cm-changedText": { background: "var(--pass-edge)", borderRadius: "2px", fontWeight: "var(--semibold)" },
  "& .cm-deletedChunk": { background: "var(--fail-tint)", color: "var(--fail-ink)", paddingLeft: "4px" },
  "& .cm-deletedChunk .cm-deletedText": { background: "var(--fail-edge)", borderRadius: "2px" },
  "& .cm-deletedLine, & .cm-deletedLine del": { textDecoration: "none" },
  "& .cm-changeGutter": { width: "16px", paddingLeft: "0" },
  "&.cm-merge-b .cm-changedLineGutter": { background: "var(--pass-tint)", color: "var(--pass-ink)", textAlign: "center" },
  "&.cm-merge-b .cm-changedLineGutter::before": { content: '"+"' },
  "&.cm-merge-b .cm-deletedLineGutter": { background: "var(--fail-tint)", color: "var(--fail-ink)", textAlign: "center" },
  "&.cm-merge-b .cm-deletedLineGutter::before": { content: '"\u2212"' },
  ".cm-tooltip": { border: "1px solid var(--line)", borderRadius: "var(--r-2)", background: "var(--raised)", color: "var(--ink)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--fail)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--fail)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--selected)" },
});
const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.separator, tags.punctuation], class: "cm-quiet" },
]);

/** Tell place and state of the editor that is shown. */
function tell() {
  const view = [...views.values()].find((one) => one.dom.checkVisibility());
  if (place && !view) place.textContent = "";
  if (!view) return;
  const at = view.state.selection.main.head;
  const line = view.state.doc.lineAt(at);
  if (place) place.textContent = `Ln ${line.number}, Col ${at - line.from + 1}`;
  let wrong = null;
  forEachDiagnostic(view.state, (one, from) => { wrong ??= view.state.doc.lineAt(from).number; });
  if (!state || !view.touched) return;
  state.dataset.tone = wrong ? "fail" : "none";
  state.querySelector("span").textContent = wrong ? `No JSON at line ${wrong}` : "Not tried yet";
}

/** Type over a selection ourselves: Chromium keeps its look by an inline style, which the CSP refuses. */
function typed(event, view) {
  const replaces = event.inputType === "insertText" && event.data && !view.state.selection.main.empty;
  if (!replaces || view.composing || view.state.readOnly) return false;
  event.preventDefault();
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
  return true;
}

function edit(text) {
  const view = new EditorView({
    doc: text.value,
    extensions: [
      EditorView.cspNonce.of(nonce),
      keymap.of([{ key: "Mod-Enter", run: () => (publish?.click(), true) }]),
      lineNumbers(), history(), highlightActiveLine(), bracketMatching(), indentUnit.of("  "),
      EditorView.lineWrapping, json(), linter(jsonParseLinter(), { delay: 300 }),
      syntaxHighlighting(colours), theme, keymap.of([...defaultKeymap, ...historyKeymap]),
      EditorState.readOnly.of(text.readOnly), EditorView.domEventHandlers({ beforeinput: typed }),
      EditorView.contentAttributes.of({ "aria-label": text.getAttribute("aria-label") }),
      text.dataset.original
        ? unifiedMergeView({ original: text.dataset.original, mergeControls: false, gutter: true })
        : [],
      EditorView.updateListener.of((update) => {
        if (update.docChanged) {
          text.value = update.state.doc.toString();
          view.touched = true;
        }
        if (update.transactions.length) tell();
      }),
    ],
  });
  text.hidden = true;
  text.after(view.dom);
  return view;
}

for (const text of document.querySelectorAll("textarea[data-editor]")) views.set(text.name, edit(text));
for (const tab of document.querySelectorAll("input[name=tab]")) tab.addEventListener("change", tell);
tell();

/** Return where a rule begins in the text: `path` are the names that lead to it. */
function offset(editor, path) {
  let node = ensureSyntaxTree(editor.state, editor.state.doc.length, 500)?.topNode.firstChild;
  let found = null;
  for (const step of path) {
    if (node?.name === "Array") {
      node = node.getChildren("⚠").length ? null : [...children(node)][step];
      found = node?.from ?? found;
      continue;
    }
    const named = node?.getChildren("Property").find((one) => JSON.parse(said(editor, one.firstChild)) === step);
    if (!named) break;
    [found, node] = [named.from, named.lastChild];
  }
  return found;
}

function* children(node) {
  for (let child = node.firstChild; child; child = child.nextSibling) if (!"[],".includes(child.name)) yield child;
}

function said(editor, node) {
  return editor.state.sliceDoc(node.from, node.to);
}

function choose(row) {
  for (const one of document.querySelectorAll("[data-path][aria-current]")) one.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  document.getElementById(`path-${row.dataset.path}`)?.scrollIntoView({ block: "nearest" });
  row.scrollIntoView({ block: "nearest" });
  if (!row.dataset.at) return;
  const editor = views.get("schema");
  const at = offset(editor, JSON.parse(row.dataset.at));
  if (at === null) return;
  document.getElementById("tab-schema").checked = true;
  editor.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
}

const rows = () => [...document.querySelectorAll("tr[data-path]")];
on("o", () => {
  const failing = rows().filter((row) => row.querySelector("[data-tone=fail]"));
  if (!failing.length) return false;
  const at = failing.findIndex((row) => row.getAttribute("aria-current"));
  const asked = failing[at]?.dataset.asked ? (at + 1) % failing.length : Math.max(0, at);
  for (const row of failing) delete row.dataset.asked;
  failing[asked].dataset.asked = "1";
  choose(failing[asked]);
});
on("Mod+Enter", () => (publish ? publish.click() : false));
document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-path]");
  if (!row) return;
  if (event.target.closest("a")) event.preventDefault();
  choose(row);
});

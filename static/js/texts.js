// The texts of the span that is shown, as one string in which places become ranges of the page.

const BLOCKS = "div, p, td, th, li, summary, pre";

/** Return `text`, and `range(start, end)` for a part of it. Blocks are a line apart. */
export function indexed(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes = [];
  let text = "";
  let block = null;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest("svg, button, .visually-hidden")) continue;
    const own = node.parentElement.closest(BLOCKS);
    if (block && own !== block) text += "\n";
    block = own;
    nodes.push({ node, start: text.length, end: text.length + node.data.length });
    text += node.data;
  }
  const at = (place) => nodes.find(({ end }) => place < end) ?? nodes.at(-1);
  return {
    text,
    parts: (start, end) => nodes
      .filter((one) => one.start < end && one.end > start)
      .map((one) => ({ node: one.node, from: Math.max(0, start - one.start), to: Math.min(one.end, end) - one.start })),
    range(start, end) {
      const range = document.createRange();
      const [first, last] = [at(start), at(end - 1)];
      range.setStart(first.node, Math.max(0, start - first.start));
      range.setEnd(last.node, Math.max(0, end - last.start));
      return range;
    },
    /** The place in `text` of a point of the page, or -1 when it is in no text. */
    placeOf: (node, offset) => {
      const one = nodes.find((each) => each.node === node);
      return one ? one.start + offset : -1;
    },
  };
}

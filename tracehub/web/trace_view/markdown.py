"""Markdown of traces as HTML that can do nothing: no image, no script, no address but http(s)."""

from __future__ import annotations

from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

LONGEST = 60_000  # characters; longer texts are shown as they came
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_READER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_READER.disable("image")
_ABOVE = 2  # the level of the heading that the page has above a text


def rendered(text: str) -> str:
    """Return markdown as safe HTML; "" when it is too long. Markup in it stays text.

    >>> rendered("**Paid** <b>now</b>")
    '<p><strong>Paid</strong> &lt;b&gt;now&lt;/b&gt;</p>'
    >>> rendered("# Refund\\n### Sum")
    '<h3>Refund</h3>\\n<h4>Sum</h4>'
    """
    if len(text) > LONGEST:
        return ""
    tokens = _READER.parse(text)
    _lower(tokens)
    html = _READER.renderer.render(tokens, _READER.options, {})
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noreferrer noopener nofollow",
    )
    return clean.strip()


def _lower(tokens: Sequence[Token]) -> None:
    """Put headings below the page's, each at most one level under the one before it."""
    level = _ABOVE
    for token in tokens:
        if token.type == "heading_open":
            level = min(int(token.tag[1:]) + _ABOVE, level + 1, 6)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"

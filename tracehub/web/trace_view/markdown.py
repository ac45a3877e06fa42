"""Markdown of traces as HTML that can do nothing: no image, no script, no address but http(s)."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

LONGEST = 60_000  # characters; longer texts are shown as they came
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_READER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_READER.disable("image")
_HEADINGS = {"h1": "h4", "h2": "h5", "h3": "h6"}  # below the headings of the page


def rendered(text: str) -> str:
    """Return markdown as safe HTML; "" when it is too long. Markup in it stays text.

    >>> rendered("**Paid** <b>now</b>")
    '<p><strong>Paid</strong> &lt;b&gt;now&lt;/b&gt;</p>'
    """
    if len(text) > LONGEST:
        return ""
    tokens = _READER.parse(text)
    for token in tokens:
        token.tag = _HEADINGS.get(token.tag, token.tag)
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

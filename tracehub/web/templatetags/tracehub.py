"""Tags and filters of every page: icons, marks, and the copy rules.

Load with `{% load tracehub %}`. Nothing here marks data as safe except our own sprite,
cleaned markdown and what it has escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import template
from django.contrib.messages import get_messages
from django.contrib.staticfiles import finders
from django.template.base import FilterExpression, Parser, TextNode, Token
from django.template.context import Context
from django.template.engine import Engine
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tracehub.web import copy, marks
from tracehub.web.lateness import lateness
from tracehub.web.shortcuts import SHORTCUTS
from tracehub.web.trace_list.columns import Column
from tracehub.web.trace_list.state import ListState
from tracehub.web.trace_view.markdown import rendered

if TYPE_CHECKING:
    from tracehub.web.metric_panels import Row  # the package of charts takes a while to load

register = template.Library()


@cache
def _sprite_text() -> str:
    path = finders.find("icons.svg")
    if not isinstance(path, str):
        raise template.TemplateSyntaxError("static/icons.svg is missing.")
    symbols = Path(path).read_text("utf-8").partition(">")[2].rpartition("</svg>")[0]
    return f'<svg class="sprite" aria-hidden="true">{symbols}</svg>'


@register.simple_tag
def sprite() -> SafeString:
    """All icons, once per page: a `use` element of another file would need its own CSP rule."""
    return mark_safe(_sprite_text())  # noqa: S308 our own file


@lru_cache(maxsize=512)
def icon(name: str, size: str = "") -> SafeString:
    """An icon of our sprite: 16 px, 14 px (sm) or 12 px (xs)."""
    return format_html(
        '<svg class="icon{}" viewBox="0 0 16 16" aria-hidden="true"><use href="#i-{}"/></svg>',
        f" icon--{size}" if size else "",
        name,
    )


class IconNode(template.Node):
    """An icon whose name the page knows only when it is made."""

    def __init__(self, given: list[FilterExpression]) -> None:
        self.given = given

    def render(self, context: Context) -> SafeString:
        return icon(*(one.resolve(context) for one in self.given))


@register.tag("icon")
def icon_tag(parser: Parser, token: Token) -> template.Node:
    """`{% icon "fail" %}`, `{% icon mark.icon "sm" %}`.

    A name in quotes is drawn when the template is compiled: a list has hundreds of icons.
    """
    given = [parser.compile_filter(word) for word in token.split_contents()[1:]]
    if any(one.is_var or one.filters for one in given):
        return IconNode(given)
    return TextNode(icon(*(one.var for one in given)))


def _cell(key: str) -> template.NodeList:
    return Engine.get_default().get_template(f"traces/cells/{key}.html").nodelist


@register.simple_tag(takes_context=True)
def cells(context: Context, columns: Sequence[str]) -> SafeString:
    """The chosen cells of `row`: traces/cells/ has a template for each column."""
    found = (_cell(key).render(context) for key in columns)
    return mark_safe("".join(found))  # noqa: S308 from our templates


@register.simple_tag
def number_rows(rows: Iterable[Row]) -> SafeString:
    """Table rows of numbers, whose first cell leads to the traces behind them.

    The charts of a page have thousands of cells, for which the template engine takes 40 ms.
    """

    def row(url: str, head: str, *numbers: str) -> str:
        cells = "".join([f'<td class="r">{escape(number)}</td>' for number in numbers])
        link = f'<a class="link" href="{escape(url)}">{escape(head)}</a>'
        return f'<tr><th scope="row">{link}</th>{cells}</tr>'

    return mark_safe("".join([row(each.url, *each.cells) for each in rows]))  # noqa: S308 escaped


@register.inclusion_tag("components/behind.html")
def behind() -> dict[str, Any]:
    """A banner while the worker is behind, for pages that list or count traces."""
    return {"late": lateness()}


_BESIDE = {"sessions": "users"}  # a section without an entry of its own


@register.inclusion_tag("components/nav_item.html", takes_context=True)
def nav_item(
    context: Context, route: str, label: str, icon_name: str, keys: str, count: int | None = None
) -> dict[str, Any]:
    """One entry of the navigation; nothing while `route` does not exist yet."""
    return {
        "count": count,
        "project": context["project"],
        "route": route,
        "label": label,
        "icon_name": icon_name,
        "keys": keys,
        "current": context["section"] in (route, _BESIDE.get(route)),
    }


@register.simple_tag
def signal(item: dict[str, Any] | str) -> SafeString:
    """A signal as icon and label; takes a signal of contract section 6, or only its kind."""
    if isinstance(item, str):
        return _marked("signal", marks.signal(item))
    mark = marks.signal(str(item.get("kind", "")), item.get("severity"))
    message = item.get("message")
    if not message:
        return _marked("signal", mark)
    return format_html('<span title="{}">{}</span>', message, _marked("signal", mark))


@register.simple_tag
def verdict(value: str | None) -> SafeString:
    """A verdict as icon and word in its tone."""
    return _marked("verdict", marks.verdict(value))


@lru_cache(maxsize=512)
def _marked(name: str, mark: marks.Mark) -> SafeString:
    return format_html(
        '<span class="{}" data-tone="{}">{}{}</span>',
        name,
        mark.tone,
        icon(mark.icon, "sm"),
        mark.label,
    )


@register.filter
def markdown(text: str) -> str:
    """Markdown as safe HTML; plain text when it is too long to be read as such."""
    html = rendered(text)
    return mark_safe(html) if html else text  # noqa: S308 cleaned by nh3


@register.simple_tag
def span_mark(kind: str) -> marks.Mark:
    return marks.span_kind(kind)


@register.simple_tag(takes_context=True)
def toast_data(context: Context) -> dict[str, Any] | None:
    """The last message of `shell.toast`, as a dict; None when there is none."""
    request = context.get("request")
    found = list(get_messages(request)) if request is not None else []
    if not found:
        return None
    try:
        about = json.loads(found[-1].extra_tags or "{}")
    except ValueError:  # a message of allauth, with plain tags
        about = {}
    return {"text": str(found[-1]), "icon": "pass", **about}


@register.simple_tag
def age(moment: datetime | None) -> SafeString:
    """`<time>` with the age as text and the exact UTC time as title; "not yet" without a time."""
    if moment is None:
        return SafeString("not yet")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        copy.exact(moment),
        copy.age(moment, timezone.now()),
    )


def _present(value: Any) -> bool:
    return value is not None and value != ""


@register.filter
def count(value: float | None) -> str:
    return copy.count(value) if value is not None else "none"


@register.filter
def total(value: float | None) -> str:
    return copy.total(value) if value is not None else "none"


@register.filter
def money(value: Decimal | float | str | None) -> str:
    """Cost of one call or trace: `$0.0042`. Takes the decimal string of the API too."""
    return copy.money(Decimal(str(value))) if _present(value) else "none"


@register.filter
def money_total(value: Decimal | float | str | None) -> str:
    """Cost of many: `$41.20`."""
    return copy.money(Decimal(str(value)), whole=True) if _present(value) else "none"


@register.filter
def ms(value: float | None) -> str:
    """A duration in milliseconds: `380 ms`, `3.4 s`."""
    return copy.duration(value) if value is not None else "not yet"


@register.filter
def about(value: float) -> str:
    """A guess in milliseconds: `6 min`, `1 h 40 min`."""
    return copy.about(value)


@register.filter
def ns(value: int | None) -> str:
    """A duration in nanoseconds."""
    return copy.duration(value / 1e6) if value is not None else "not yet"


@register.filter
def rate(value: float | None) -> str:
    return copy.rate(value) if value is not None else "none"


@register.filter
def percent(value: float) -> str:
    return copy.percent(value)


@register.filter
def points(value: float | None) -> str:
    return copy.points(value) if value is not None else "none"


@register.filter
def clock(moment: datetime | None) -> str:
    """The time of day in the zone of the page: 09:40:12."""
    return timezone.localtime(moment).strftime("%H:%M:%S") if moment else "not yet"


@register.filter
def day(moment: datetime) -> str:
    """The day in the zone of the page: 29 Nov."""
    return timezone.localtime(moment).strftime("%-d %b")


@register.simple_tag
def sort_links(state: ListState, column: Column) -> list[dict[str, str | bool]]:
    """The links in the head of a column that orders the list; those beside the chosen are quiet."""
    sorts = state.sorts()
    found = [(label, *sorts[name]) for label, name in column.sorts]
    chosen = any(direction for _, _, direction in found)
    return [
        {"label": label, "url": url, "state": direction, "quiet": chosen and not direction}
        for label, url, direction in found
    ]


@register.filter
def or_none(value: Any) -> Any:
    return value if _present(value) else "none"


@register.filter
def words(slug: str) -> str:
    return marks.words(slug)


# What the help dialog prints. A key stands here once its page answers to it.
@register.simple_tag
def shortcut_groups() -> list[tuple[str, list[tuple[str, list[str]]]]]:
    return [
        (title, [(label, keys.split(" ")) for label, keys in rows]) for title, rows in SHORTCUTS
    ]

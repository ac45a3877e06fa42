"""Filter text -> tree. Lark finds the structure; `values` reads what stands after a colon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from tracehub.core.query.errors import FilterError
from tracehub.core.query.keys import NO_KEYS, Key
from tracehub.core.query.tree import And, Filter, Node, Not, Or, Term, Text, quote
from tracehub.core.query.values import read_term, unquote

MAX_LENGTH = 8_000  # characters; longer ones would not fit into a URL
MAX_TERMS = 250  # values and words in all
MAX_DEPTH = 20  # parentheses

_GRAMMAR = r"""
start: [or_expr]
?or_expr: and_expr | and_expr (_OR and_expr)+ -> either
?and_expr: unary | unary unary+ -> both
?unary: atom | _MINUS atom -> negated
?atom: "(" or_expr ")" | TERM -> term | STRING -> phrase | WORD -> word

TERM.3: /[^\s"():,\-][^\s"():,]*:(?:"(?:[^"\\]|\\.)*"|[^\s"()])*/s
STRING.2: /"(?:[^"\\]|\\.)*"/s
_OR.2: /OR(?![^\s()"])/
_MINUS.2: /-(?=\S)/
WORD: /[^\s"()]+/
%ignore /\s+/
"""
_PARSER = Lark(_GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=True)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_CONNECTIVES = {
    "OR": "OR needs a term on both sides.",
    "AND": "Terms are joined by a space. Leave AND out.",
    "NOT": "Exclude with a minus sign: -model:gpt-4o.",
}


def parse(text: str, more: Mapping[str, Key] = NO_KEYS) -> Filter:
    """Return the filter that `text` says. Raises FilterError, and nothing else.

    `more` are keys that this list knows beside those of traces.

    >>> str(parse('model:gpt-4o*  latency:>5s -tag:synthetic "exact words"'))
    'model:gpt-4o* latency:>5s -tag:synthetic "exact words"'
    >>> parse("latency:5sec")
    Traceback (most recent call last):
    tracehub.core.query.errors.FilterError: latency needs a duration such as 5s or 800ms. Got ...
    """
    _check_size(text)
    try:
        root = _Builder(text, more).transform(_PARSER.parse(text))
    except VisitError as error:  # how lark wraps what the builder raises
        raise error.orig_exc from None
    except UnexpectedInput as error:
        _explain(text, error)
    return Filter(root)


def _check_size(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise FilterError(
            MAX_LENGTH,
            len(text),
            f"A filter has at most {MAX_LENGTH:,} characters. Got {len(text):,}.",
        )
    if found := _UNSTORABLE.search(text):
        raise FilterError(
            *found.span(), "This character cannot be stored, so it finds nothing.", ""
        )
    depth = deepest = 0
    for character in _QUOTED.sub("", text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise FilterError(
            0, len(text), f"Parentheses nest at most {MAX_DEPTH} deep. Got {deepest}."
        )


class _Builder(Transformer[Token, Node | None]):
    """Parse tree -> our tree; counts values against the limit."""

    def __init__(self, text: str, more: Mapping[str, Key]) -> None:
        super().__init__()
        self.text = text
        self.more = more
        self.count = 0

    def _counted(self, more: int) -> None:
        self.count += more
        if self.count > MAX_TERMS:
            raise FilterError(
                0, len(self.text), f"A filter has at most {MAX_TERMS} terms and values."
            )

    def start(self, children: list[Node | None]) -> Node | None:
        return children[0]

    def either(self, nodes: list[Node]) -> Node:
        return Or(tuple(nodes))

    def both(self, nodes: list[Node]) -> Node:
        return And(tuple(nodes))

    def negated(self, nodes: list[Node]) -> Node:
        return Not(nodes[0])

    def term(self, tokens: list[Token]) -> Term:
        start, _ = _span(tokens[0])
        term = read_term(str(tokens[0]), start, self.more)
        self._counted(len(term.values))
        return term

    def phrase(self, tokens: list[Token]) -> Text:
        self._counted(1)
        start, end = _span(tokens[0])
        words = unquote(str(tokens[0]))
        if not words.strip():
            raise FilterError(start, end, "Nothing stands between these quotes.", "")
        return Text(words, start, end)

    def word(self, tokens: list[Token]) -> Text:
        self._counted(1)
        start, end = _span(tokens[0])
        word = str(tokens[0])
        if word in _CONNECTIVES:
            raise FilterError(start, end, _CONNECTIVES[word], "")
        return Text(word, start, end)


def _span(token: Token) -> tuple[int, int]:
    start = token.start_pos or 0
    return start, start + len(token)


def _explain(text: str, error: UnexpectedInput) -> NoReturn:
    """Raise what lark could not parse as a FilterError."""
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        rest = text[at:]
        if rest.startswith('"'):
            raise FilterError(at, len(text), "A quote is not closed.", f'{rest}"') from None
        raise FilterError(at, at + 1, f"{rest[:1]} has no place here.", quote(rest[:1])) from None
    token = error.token if isinstance(error, UnexpectedToken) else None
    if token is None or token.type == "$END":
        _explain_end(text)
    start, end = _span(token)
    if token.type == "RPAR":
        empty = text[:start].rstrip().endswith("(")
        if empty:
            opened = text[:start].rindex("(")
            raise FilterError(
                opened, end, "Nothing stands between these parentheses.", ""
            ) from None
        raise FilterError(start, end, "This ) closes nothing.", "") from None
    raise FilterError(start, end, f"{token} has no place here.", "") from None


def _explain_end(text: str) -> NoReturn:
    """Raise why the end came too early: after OR or a minus, or with an open parenthesis."""
    shown = text.rstrip()
    if re.search(r"(?:^|[\s)])OR$", shown):
        at = len(shown) - 2
        raise FilterError(at, at + 2, _CONNECTIVES["OR"], "") from None
    masked = _QUOTED.sub(lambda m: "_" * len(m[0]), text)
    opened = [i for i, character in enumerate(masked) if character == "("]
    if opened:
        at = opened[-1]
        raise FilterError(at, len(text), "A ( is not closed.", f"{text[at:]})") from None
    raise FilterError(0, len(text), "The filter ends too early.") from None

"""A call of a model as text to paste elsewhere: its messages in Python, or curl to the provider."""

from __future__ import annotations

import json
import shlex
from pprint import pformat
from typing import Any, NamedTuple

from tracehub.core.exports.fields import openai_messages
from tracehub.core.promotion import input_of
from tracehub.core.trace import Json, Span


class _Api(NamedTuple):
    """Where a provider takes calls in OpenAI's form, and the variable that holds its key."""

    url: str
    key: str


# https://docs.anthropic.com/en/api/openai-sdk and the pages of the other providers.
_APIS = {
    "openai": _Api("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": _Api("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "mistral": _Api("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "groq": _Api("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "deepseek": _Api("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "google": _Api(
        "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"
    ),
    "ollama": _Api("http://localhost:11434/v1", "OLLAMA_API_KEY"),
}  # fmt: skip
_OTHER = _Api("$OPENAI_BASE_URL", "OPENAI_API_KEY")
# Names by which OpenTelemetry and OpenInference know the same provider.
_NAMES = {"mistral_ai": "mistral", "mistralai": "mistral", "gcp.gemini": "google",
          "gemini": "google", "x_ai": "xai"}  # fmt: skip
_PARAMETERS = frozenset(
    "temperature top_p max_tokens max_completion_tokens seed stop presence_penalty"
    " frequency_penalty n response_format reasoning_effort".split()
)


def messages(span: Span) -> list[dict[str, Any]]:
    """Return the input of a step as messages of OpenAI's chat API."""
    given = input_of(span)
    given["messages"] = [
        {name: value for name, value in message.items() if value is not None}
        for message in given["messages"]
    ]
    return openai_messages({"input": given})


def python(span: Span) -> str:
    """Return the messages as a list of Python.

    >>> print(python(Span("t", "s", None, "ask", "llm", 0, 1, input="Hi")), end="")
    messages = [{'role': 'user', 'content': 'Hi'}]
    """
    return f"messages = {pformat(messages(span), width=96, sort_dicts=False)}\n"


def curl(span: Span) -> str:
    """Return the call as a command of curl; the key stays a variable of the shell.

    An unknown provider is `$OPENAI_BASE_URL`, for whatever speaks OpenAI's form.
    """
    provider = (span.provider or "").lower()
    api = _APIS.get(_NAMES.get(provider, provider), _OTHER)
    body: dict[str, Json] = {
        "model": span.model_requested or span.model or "",
        "messages": messages(span),
        **{name: value for name, value in span.parameters.items() if name in _PARAMETERS},
    }
    text = json.dumps(body, ensure_ascii=False, indent=2)
    return (
        f'curl "{api.url}/chat/completions" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f'  -H "Authorization: Bearer ${api.key}" \\\n'
        f"  -d {shlex.quote(text)}\n"
    )


FORMS = {"curl": curl, "python": python}

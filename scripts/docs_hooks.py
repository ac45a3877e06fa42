"""What MkDocs asks of us while it builds: the pages of the reference that come from the code.

They are made at each build and never checked in, so they cannot tell of another version.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of docs/."""
    _setup()
    pages = {
        "commands": _commands,
        "api": _api,
        "filters": _filters,
        "signals": _signals,
        "exports": _exports,
    }
    for name, write in pages.items():
        text = "\n".join(write()) + "\n"
        files.append(File.generated(config, f"generated/{name}.md", content=text))
    return files


def _setup() -> None:
    """Load Django without a database, and without making a secret key in someone's data folder."""
    given = {
        "DJANGO_SETTINGS_MODULE": "tracehub.settings",
        "DATABASE_URL": "postgresql://nobody@/none",
        "TRACEHUB_SECRET_KEY": "docs",
        "TRACEHUB_DATA_DIR": tempfile.gettempdir(),
        "TRACEHUB_BASE_URL": "https://traces.example.com",
    }
    for name, value in given.items():
        os.environ.setdefault(name, value)
    import django

    django.setup()


def _cell(text: str) -> str:
    """Return a text that stays in one cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def _commands() -> list[str]:
    from tracehub.cli.main import COMMANDS, main

    lines = ["# Every command", "", "What `--help` says, of this version."]
    context = click.Context(main, info_name="tracehub")
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        lines += _help(command, click.Context(command, info_name=name, parent=context))
    return lines


def _help(command: click.Command, context: click.Context) -> list[str]:
    lines = ["", f"## {context.command_path}", "", "```text", command.get_help(context), "```"]
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            lines += _help(one, click.Context(one, info_name=name, parent=context))
    return lines


def _api() -> list[str]:
    from tracehub.api.openapi import document

    lines = [
        "# Every call of the API",
        "",
        "Of the document that `/api/v1/openapi.json` of your server gives. What holds for all is in"
        " [the API](../reference/api.md).",
    ]
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            lines += ["", f"## {method.upper()} {path}", "", f"{operation['summary']}."]
            lines += ["", operation["description"]]
            lines += _parameters(operation["parameters"]) + _body(operation)
            lines += ["", *_answers(operation["responses"])]
    return lines


def _parameters(params: list[dict[str, Any]]) -> list[str]:
    if not params:
        return []
    rows = [
        f"| `{one['name']}` | {one['in']} | {'yes' if one['required'] else 'no'} "
        f"| {_cell(one.get('description', ''))} |"
        for one in params
    ]
    return ["", "| Parameter | In | Required | Is |", "|---|---|---|---|", *rows]


def _body(operation: dict[str, Any]) -> list[str]:
    if "requestBody" not in operation:
        return []
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    fields, required = schema.get("properties", {}), schema.get("required", ())
    if not fields:
        return ["", "Takes a body of JSON; the schema is in the document."]
    rows = [
        f"| `{name}` | {_type(part)} | {'yes' if name in required else 'no'} "
        f"| {_cell(part.get('description', ''))} |"
        for name, part in fields.items()
    ]
    return ["", "| Field | Type | Required | Is |", "|---|---|---|---|", *rows]


def _type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    kind = part.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _answers(responses: dict[str, Any]) -> list[str]:
    refused = ", ".join(f"`{code}`" for code, answer in responses.items() if "$ref" in answer)
    given = [
        f"- `{code}`: {answer['description']}"
        for code, answer in responses.items()
        if "$ref" not in answer
    ]
    return [*given, f"- Refusals: {refused}"]


def _filters() -> list[str]:
    from tracehub.core.query.keys import KEYS

    rows = [
        f"| `{key.name}` | {key.type} | {_cell(key.help)} "
        f"| {', '.join(f'`{one}`' for one in key.choices)} |"
        for key in KEYS.values()
    ]
    return [
        "# Every filter key",
        "",
        "How they are put together is in [Filters](../reference/filters.md).",
        "",
        "| Key | Takes | Is | One of |",
        "|---|---|---|---|",
        *rows,
    ]


def _signals() -> list[str]:
    from tracehub.core.signals.kinds import KINDS

    rows = []
    for kind in KINDS.values():
        limit = kind.threshold
        number = (
            f"{limit.usual:g} {limit.unit} ({limit.least:g} to {limit.most:g})" if limit else ""
        )
        rows.append(
            f"| `{kind.name}` | {_cell(kind.fires)} | {number} "
            f"| {'second' if kind.second else 'first'} |"
        )
    return [
        "# Every signal",
        "",
        "What they are for is in [Signals](../reference/signals.md). The second pass reads whole "
        "payloads, when no trace waits for the first.",
        "",
        "| Signal | Fires when | From | Pass |",
        "|---|---|---|---|",
        *rows,
    ]


def _exports() -> list[str]:
    from tracehub.core.exports import ALIASES, FORMATS

    rows = [
        f"| `{one.name}` | {_cell(one.label)} | {_cell(one.help)} "
        f"| {', '.join(f'`{name}`' for name in one.files)} |"
        for one in FORMATS.values()
    ]
    also = [f"`{alias}` is another name of `{name}`." for alias, name in ALIASES.items()]
    return [
        "# Every export format",
        "",
        "How cases become those of each tool is in [Exports](../reference/exports.md).",
        "",
        "| Format | Name | Is | Files |",
        "|---|---|---|---|",
        *rows,
        "",
        *also,
    ]

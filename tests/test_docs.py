"""What people can set, call or filter by has its row in the docs, which name nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from tracehub.cli.main import COMMANDS, main
from tracehub.core.exports import ALIASES, FORMATS
from tracehub.core.query import keys
from tracehub.core.signals.run import DETECTORS, SECOND
from tracehub.core.trace import KINDS, OUTCOMES
from tracehub.core.wire.conventions import tracehub as own_attributes
from tracehub.ingest.routes import ROUTES
from tracehub.projects import keys as api_keys

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
# Of the programs that eval cases are run against, not of TraceHub itself.
OF_PROGRAMS = {"TRACEHUB_COMMAND", "TRACEHUB_SET", "TRACEHUB_CASE", "TRACEHUB_TOOLS_URL"}
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(#[^)]*)?\)")


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(name: str) -> dict[str, str]:
    """The first cell of each table row that names something in backticks -> the whole row."""
    found = {}
    for line in text(name).splitlines():
        if line.startswith("| `"):
            for word in re.findall(r"`([^`]+)`", line.split("|")[1]):
                found[word] = line
    return found


def settings() -> set[str]:
    """Every environment variable that the code reads."""
    named = re.compile(r'"((?:TRACEHUB|DATABASE|SENTRY|OTEL)_[A-Z_]+)"')
    files = (ROOT / "tracehub").rglob("*.py")
    found = {name for file in files for name in named.findall(file.read_text(encoding="utf-8"))}
    return found - OF_PROGRAMS


def test_every_setting_has_its_row_and_every_row_is_a_setting():
    assert settings() == {name for name in rows("settings.md") if name.isupper()}


@pytest.mark.parametrize(
    ("name", "default", "bounds"),
    [
        ("TRACEHUB_MAX_BODY_MB", 16, (1, 256)),
        ("TRACEHUB_MIN_FREE_MB", 512, (0, 1_000_000)),
        ("TRACEHUB_RETENTION_DAYS", 30, (1, 3650)),
        ("TRACEHUB_WEB_WORKERS", 1, (1, 64)),
    ],
)
def test_a_number_in_the_settings_has_the_default_and_the_bounds_of_the_code(name, default, bounds):
    least, most = bounds
    source = (ROOT / "tracehub" / "settings.py").read_text(encoding="utf-8")
    call = re.search(rf'env_int\(\s*"{name}",\s*([^)]*)\)', source)
    assert call, f"{name} is read by env_int"
    assert [int(n) for n in re.findall(r"[0-9_]+", call[1])] == [default, least, most]
    row = rows("settings.md")[name]
    assert f"| {default} |" in row
    assert f"{least:,} to {most:,}" in row


def test_every_filter_key_has_its_row_and_every_row_is_a_key():
    known = {*keys.KEYS, keys.META_KEY.name, keys.ATTR_KEY.name, keys.SCORE_KEY.name}
    section = text("reference/filters.md").partition("## Keys")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))
    assert named == known


def test_every_state_of_the_filter_language_is_explained():
    page = text("reference/filters.md")
    assert [state for state in keys.STATES if f"`{state}`" not in page] == []


def test_every_signal_that_a_detector_gives_has_its_row():
    told = set(rows("reference/signals.md"))
    given = set()
    for detector in (*DETECTORS, *SECOND):
        kinds = set(re.findall(r"`([a-z_]+)`", detector.__doc__ or "")) & set(keys.SIGNALS)
        assert kinds, f"{detector.__module__} does not say what it gives"
        given |= kinds
    assert given <= told
    assert told <= set(keys.SIGNALS)
    assert re.findall(r"^## `(\w+)`$", text("reference/detectors.md"), re.M) == list(
        rows("reference/signals.md")
    )


def test_every_export_format_has_its_row():
    named = rows("reference/exports.md")
    assert [name for name in (*FORMATS, *ALIASES) if name not in named] == []


def test_every_command_has_its_row_with_its_options():
    page = text("reference/commands.md")
    context = click.Context(main)
    for name in COMMANDS:
        try:
            command = main.get_command(context, name)
        except ModuleNotFoundError as missing:
            pytest.fail(f"tracehub {name} is listed and cannot be loaded: {missing}")
        parts = command.commands.items() if isinstance(command, click.Group) else [("", command)]
        for part, one in parts:
            called = f"tracehub {name} {part}".strip()
            row = next((line for line in page.splitlines() if f"| `{called}" in line), "")
            assert row, f"{called} has no row"
            options = {o.opts[0] for o in one.params if isinstance(o, click.Option)}
            told = set(re.findall(r"`(--[a-z-]+)`", row))
            assert told == options - {"--help", "--data"}, called


def test_every_command_shows_an_example():
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert "Example:" in (command.help or ""), name


def test_every_path_of_ingestion_is_told():
    page = text("sending-traces.md")
    for path in ROUTES:
        bare = re.sub(r"^/(otlp|otel|api/public/otel|langsmith)(?=/)", "", path)
        assert f"{bare}`" in page or f"{bare}," in page, path


@pytest.mark.parametrize(
    "header", ["x-tracehub-key", "x-api-key", "api_key", "api-key", "authorization"]
)
def test_every_header_that_carries_a_key_is_told(header):
    value = "Bearer th_ing_x" if header == "authorization" else "th_ing_x"
    assert api_keys.presented({header: value}) == "th_ing_x"
    assert f"`{header}: " in text("sending-traces.md").lower()


def test_every_attribute_of_our_own_is_told():
    page = text("reference/conventions.md")
    told = set(re.findall(r"`(tracehub\.[a-z_.]+)`", page))
    told |= {f"tracehub.prompt.{part}" for part in re.findall(r"`\.([a-z]+)`", page)}
    assert [row.key for row in own_attributes.ROWS if row.key not in told] == []
    assert [word for word in (*KINDS, *OUTCOMES) if f"`{word}`" not in page] == []


def test_every_page_is_reachable_and_the_site_builds_strictly(tmp_path):
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = re.findall(r"[\w/-]+\.md", str(nav))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert {page for page in listed if not page.startswith("generated/")} == there
    command = [ROOT / ".venv/bin/mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-3000:]
    pages = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")]
    assert len(pages) > len(listed) - 1
    assert [
        line for page in pages for line in re.findall(r'(?:src|stylesheet" href)="http', page)
    ] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: str(p.relative_to(DOCS)))
def test_every_link_between_pages_leads_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link, _ in links if not (page.parent / link).exists()] == []


def test_the_docs_name_nothing_that_only_our_workshop_has():
    for page in DOCS.rglob("*.md"):
        words = page.read_text(encoding="utf-8")
        assert "/work/" not in words, page
        assert "TODO" not in words, page

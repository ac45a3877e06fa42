"""`tracehub apply`: shows, makes, and the second time changes nothing."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from tracehub.cli import apply as command
from tracehub.projects.models import ApiKey, Project

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "apply.md"


@pytest.fixture
def apply(db, monkeypatch, tmp_path):
    """`apply(text, *options)`: the command on a file with this text."""
    monkeypatch.setattr(command, "application", lambda: nullcontext())
    file = tmp_path / "tracehub.yaml"

    def run(text: str, *options: str):
        file.write_text(text)
        return CliRunner().invoke(command.apply, [str(file), *options])

    return run


def test_the_file_of_the_guide_is_shown_then_made_and_nothing_is_left(apply, monkeypatch):
    text = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    monkeypatch.setenv("SLACK_URL", "https://hooks.example.com/T0/secret")
    shown = apply(text)
    assert shown.exit_code == 0, shown.output
    assert "+ project skylane" in shown.stderr and "12 changes. Nothing was changed" in shown.stderr
    assert (shown.stdout, Project.objects.filter(slug="skylane").count()) == ("", 0)
    made = apply(text, "--yes")
    assert made.exit_code == 0 and "12 changes made." in made.stderr
    assert "secret" not in made.output
    assert re.findall(r"^skylane/.* th_(?:ing|api)_\w+$", made.stdout, re.MULTILINE)
    assert len(made.stdout.splitlines()) == ApiKey.objects.count() == 2
    again = apply(text, "--yes")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "Nothing to change.\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("projects: [", "line 1"),
        ("projects: []", "projects"),
        ("projects: [{slug: a, colour: red}]", "colour"),
        ("projects: [{slug: static}]", "projects[0].slug"),
        ("projects: [{slug: a, members: [{email: x@y.example, role: boss}]}]", "boss"),
        ("projects: [{slug: a, destinations: [{name: d, kind: email, address: '${NOPE}'}]}]",
         "projects[0].destinations[0].address is taken from the environment's NOPE"),
        ("projects: [{slug: a}, {slug: b, keys: [{name: x, scope: ingest}, "
         "{name: X, scope: admin}]}]", "projects[1].keys[1].name: 'X' is keys[0] already"),
        ("- 1", "object"),
        ("", "object"),
    ],
)  # fmt: skip
def test_a_wrong_file_changes_nothing_and_says_where(apply, text, says):
    refused = apply(text, "--yes")
    assert refused.exit_code == 1, refused.output
    assert says in refused.stderr
    assert not Project.objects.filter(slug="a").exists()

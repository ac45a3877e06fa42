"""The files of deploy/ hold what their formats ask, and name only what TraceHub has.

No container engine runs here: compose file, workflows and manifests are held against the published
schemas, units are read by systemd's own checker where it is there.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from django.test import Client
from jsonschema import Draft202012Validator
from kombu import Connection

from tests.test_docs import settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ROOT / "docker-compose.yml"
METRIC = re.compile(r"\btracehub_[a-z_]+")


def documents(path: Path) -> list[dict]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


@cache
def compose() -> dict:
    return yaml.safe_load(COMPOSE.read_text())


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.compose-spec", [COMPOSE]),
        ("vendor.github-workflows", sorted((ROOT / ".github" / "workflows").glob("*.yml"))),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ],
    ids=["compose", "workflows", "dependabot"],
)
def test_files_for_others_keep_to_the_published_schema(schema, files):
    command = [ROOT / ".venv/bin/check-jsonschema", "--builtin-schema", schema, *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_manifests_keep_to_the_schemas_of_kubernetes():
    known = json.loads((Path(__file__).parent / "kubernetes.schema.json").read_text())
    listed = documents(DEPLOY / "kubernetes" / "kustomization.yaml")[0]["resources"]
    there = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert set(listed) == there - {"kustomization.yaml"}
    for name in listed:
        for one in documents(DEPLOY / "kubernetes" / name):
            schema = {"$ref": f"#/$defs/{known['kinds'][one['kind']]}", "$defs": known["$defs"]}
            wrong = [e.message for e in Draft202012Validator(schema).iter_errors(one)]
            assert wrong == [], (name, one["kind"])


def test_no_container_of_ours_is_root_or_may_write_to_its_image():
    for path in (DEPLOY / "kubernetes").glob("*.yaml"):
        for one in documents(path):
            if one["kind"] not in {"Deployment", "Job"}:
                continue
            pod = one["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"] is True, path
            for box in pod["containers"]:
                held = box["securityContext"]
                assert held["readOnlyRootFilesystem"] and not held["allowPrivilegeEscalation"]
                assert box["resources"]["limits"]["memory"], path
    for name in ("setup", "web", "worker", "beat", "otlp-grpc", "redis", "pgbouncer", "proxy"):
        service = compose()["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        if name != "setup":
            assert service["deploy"]["resources"]["limits"]["memory"], name
    assert re.search(r"^USER 10001$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_every_service_is_watched_and_waits_for_what_it_needs():
    services = compose()["services"]
    of_the_image = {"web"}  # its Dockerfile has the check
    for name, service in services.items():
        assert "healthcheck" in service or name in of_the_image, name
        for other in service.get("depends_on", {}):
            assert other in services
    assert services["web"]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}
    profiles = {p for service in services.values() for p in service.get("profiles", [])}
    assert profiles == {"redis", "rabbitmq", "pgbouncer", "replica", "grpc"}


def test_the_example_of_env_has_each_variable_of_the_compose_file_and_no_other():
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text()))
    given = re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(given) - {"COMPOSE_PROFILES"} == asked
    assert not re.search(r"(PASSWORD|KEY)=\S", (ROOT / ".env.example").read_text())


def test_a_client_is_installed_for_each_broker_that_the_example_offers():
    offered = re.findall(
        r"TRACEHUB_BROKER_URL=(\S+)", (ROOT / ".env.example").read_text(), re.MULTILINE
    )
    assert {url.partition(":")[0] for url in offered} == {"redis", "amqp"}
    for url in offered:
        assert Connection(url).transport.driver_version()


def test_only_settings_that_there_are_are_set():
    known = settings()
    files = [COMPOSE, ROOT / "Dockerfile", ROOT / ".env.example"]
    files += [p for p in DEPLOY.rglob("*") if p.is_file()]
    of_compose = {"DATABASE_HOST"}  # a part of a setting
    for path in files:
        text = path.read_text()
        named = set(re.findall(r"\b((?:TRACEHUB|DATABASE)_[A-Z_]+)(?=[:=])", text))
        assert named - known - of_compose == set(), path


def test_each_metric_that_is_charted_or_alerted_on_is_there(db):
    page = Client().get("/metrics").content.decode()
    told = (ROOT / "docs" / "reference" / "prometheus.md").read_text()
    board = (DEPLOY / "grafana" / "tracehub.json").read_text()
    rules = (DEPLOY / "prometheus" / "tracehub-alerts.yml").read_text()
    exprs = [t["expr"] for p in json.loads(board)["panels"] for t in p["targets"]]
    exprs += [r["expr"] for g in yaml.safe_load(rules)["groups"] for r in g["rules"]]
    named = {name for expr in exprs for name in METRIC.findall(expr)}
    assert {name for name in named if f"# TYPE {name} " not in page} == set()
    assert {name for name in named if f"`{name}`" not in told} == set()


def test_each_alert_says_what_to_do():
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "tracehub-alerts.yml").read_text())["groups"]
    guide = (ROOT / "docs" / "how-to" / "monitor.md").read_text()
    for rule in group["rules"]:
        assert rule["annotations"]["mend"] and rule["labels"]["severity"] in {"page", "warning"}
        assert f"`{rule['alert']}`" in guide


def test_the_units_are_what_systemd_takes(tmp_path):
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("systemd-analyze is not there")
    units = []
    for unit in (DEPLOY / "systemd").glob("tracehub*"):
        copy = tmp_path / unit.name  # the checker asks that the program is there
        copy.write_text(unit.read_text().replace("/opt/tracehub/bin/tracehub", "/bin/true"))
        units.append(copy)
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_workflows_ask_for_no_right_that_they_do_not_need():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        (flow,) = documents(path)
        assert flow["permissions"] == {"contents": "read"}, path
        assert "pull_request_target" not in path.read_text()
        for job in flow["jobs"].values():
            assert job["timeout-minutes"] <= 90
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout"):
                    assert step["with"]["persist-credentials"] is False


def test_scripts_of_the_shell_can_be_read():
    for script in DEPLOY.rglob("*.sh"):
        subprocess.run(["bash", "-n", script], check=True)

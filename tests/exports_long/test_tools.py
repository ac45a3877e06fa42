"""Load each export with the tool it is for. The versions are those of docs/reference/exports.md."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.exports_long.conftest import HOME, INSTALL_SECONDS, RUN_SECONDS
from tracehub.core import results

DATASETS = "datasets==5.2.0"


@pytest.mark.parametrize("name", ["native", "openai-jsonl"])
def test_datasets_loads_json_lines(exported, tool, name):
    folder = exported(name)
    script = """
from datasets import load_dataset
rows = load_dataset("json", data_files="cases.jsonl")["train"]
assert rows["id"][:] == ["c_0001", "c_0002", "c_0003"], rows["id"][:]
"""
    if name == "native":  # free-form objects differ from line to line: Arrow takes them as text
        script = "import json\nassert len([json.loads(l) for l in open('cases.jsonl')]) == 3"
    tool(script, folder, DATASETS, "pandas")


def test_csv_loads_in_pandas_and_datasets(exported, tool):
    script = """
import csv, glob, pandas
from datasets import load_dataset
(file,) = glob.glob("*.csv")
rows = list(csv.DictReader(open(file, newline=""), strict=True))
assert [r["id"] for r in rows] == ["c_0001", "c_0002", "c_0003"]
frame = pandas.read_csv(file, dtype=str)
assert list(frame["id"]) == [r["id"] for r in rows]
assert load_dataset("csv", data_files=file)["train"].num_rows == 3
"""
    tool(script, exported("csv"), DATASETS, "pandas")


def test_parquet_loads_in_datasets_and_pyarrow(exported, tool):
    script = """
import pyarrow.parquet as pq
from datasets import load_dataset
rows = load_dataset("parquet", data_files="cases.parquet")["train"]
assert rows["id"][:] == ["c_0001", "c_0002", "c_0003"]
assert str(rows.features["created_at"]) == "Value('timestamp[us, tz=UTC]')", rows.features
assert rows[0]["tags"] == ["eu", "known_failure"]
assert rows[2]["expected_output"] is None
made = pq.ParquetFile("cases.parquet")
assert made.metadata.row_group(0).column(0).compression == "ZSTD"
assert str(made.schema_arrow.field("version").type) == "int32"
"""
    tool(script, exported("parquet"), DATASETS, "pyarrow==26.0.1")


def test_inspect_loads_the_samples(exported, tool):
    script = """
from inspect_ai.dataset import json_dataset
found = json_dataset("samples.jsonl")
assert [s.id for s in found] == ["c_0001", "c_0002", "c_0003"]
assert found[0].input[2].tool_calls[0].function == "find_flight"
assert found[0].metadata["kind"] == "known_failure"
"""
    tool(script, exported("inspect"), "inspect-ai==0.3.285")


def test_logs_of_inspect_come_back_as_results(exported, tool):
    folder = exported("inspect")
    script = """
from inspect_ai import Task, eval
from inspect_ai.dataset import json_dataset
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import match
from inspect_ai.solver import solver
@solver
def fixed():
    async def solve(state, generate):
        state.output = ModelOutput.from_content("mockllm/model", "23 kg")
        return state
    return solve
for form in ("json", "eval"):
    (log,) = eval(Task(dataset=json_dataset("samples.jsonl"), solver=fixed(),
                       scorer=match(location="exact")),
                  model="mockllm/model", log_dir=form, log_format=form, display="none")
    assert log.status == "success", log.error
"""
    tool(script, folder, "inspect-ai==0.3.285")
    for form in ("json", "eval"):
        (file,) = (folder / form).iterdir()
        found = results.read(file.read_bytes(), ["c_0001", "c_0002", "c_0003"])
        assert {one["case"]: one["score"] for one in found} == {
            "c_0001": 0.0, "c_0002": 1.0, "c_0003": 0.0,
        }  # fmt: skip
        assert {one["output"] for one in found} == {"23 kg"}


def test_deepeval_loads_the_goldens(exported, tool):
    script = """
from deepeval.dataset import EvaluationDataset
found = EvaluationDataset()
found.add_goldens_from_json_file(file_path="goldens.json")
assert [g.name for g in found.goldens] == ["c_0001", "c_0002", "c_0003"]
assert found.goldens[0].expected_tools[0].name == "get_booking"
"""
    tool(script, exported("deepeval"), "deepeval==4.3.1")


def test_test_runs_of_deepeval_come_back_as_results(exported, tool):
    folder = exported("deepeval")
    script = """
import os
os.environ["DEEPEVAL_RESULTS_FOLDER"] = "runs"
from deepeval import evaluate
from deepeval.dataset import EvaluationDataset
from deepeval.metrics import ExactMatchMetric
from deepeval.test_case import LLMTestCase
found = EvaluationDataset()
found.add_goldens_from_json_file(file_path="goldens.json")
evaluate(metrics=[ExactMatchMetric()], test_cases=[
    LLMTestCase(name=g.name, input=g.input, actual_output="23 kg",
                expected_output=g.expected_output or "none") for g in found.goldens])
"""
    tool(script, folder, "deepeval==4.3.1")
    (file,) = (folder / "runs").glob("*.json")
    read = results.read(file.read_bytes(), ["c_0001", "c_0002", "c_0003"])
    assert {one["case"]: one["passed"] for one in read} == {
        "c_0001": False, "c_0002": True, "c_0003": False,
    }  # fmt: skip


def test_langsmith_takes_the_examples(exported, tool):
    script = """
import json
from langsmith.schemas import ExampleCreate
rows = [ExampleCreate(**json.loads(line)) for line in open("examples.jsonl")]
assert len({str(r.id) for r in rows}) == 3
assert rows[0].inputs["messages"][2]["tool_calls"][0]["type"] == "function"
"""
    tool(script, exported("langsmith"), "langsmith==0.15.1")


def test_langfuse_takes_the_items(exported, tool):
    script = """
import json
from langfuse.api import CreateDatasetItemRequest
from langfuse.api.core.pydantic_utilities import parse_obj_as
rows = [parse_obj_as(CreateDatasetItemRequest, json.loads(line)) for line in open("items.jsonl")]
assert [r.id for r in rows] == [f"refund-regressions:c_000{n}" for n in (1, 2, 3)]
assert rows[1].expected_output == "23 kg"
"""
    tool(script, exported("langfuse"), "langfuse==5.0.4")


def test_braintrust_evaluates_the_rows(exported, tool):
    script = """
import json
from braintrust import Eval, EvalCase
from autoevals import ExactMatch
rows = [json.loads(line) for line in open("rows.jsonl")]
answers = {json.dumps(r["input"]): r.get("expected") for r in rows}
done = Eval("p", data=[EvalCase(**r) for r in rows], scores=[ExactMatch], no_send_logs=True,
            task=lambda input: answers[json.dumps(input)])
assert len(done.results) == 3, done
assert not [r.error for r in done.results if r.error]
"""
    tool(script, exported("braintrust"), "braintrust==0.48.1", "autoevals==0.4.1")


def test_pydantic_evals_runs_the_evaluators(exported, tool):
    script = """
import sys
sys.path.insert(0, ".")
import glob, importlib
from pydantic_evals import Dataset
names = [f[:-3] for f in glob.glob("*.py")]
kind = next(getattr(importlib.import_module(n), "TraceHubAssertion") for n in names
            if hasattr(importlib.import_module(n), "TraceHubAssertion"))
found = Dataset[dict, object, dict].from_file("dataset.yaml", custom_evaluator_types=[kind])
assert [c.name for c in found.cases] == ["c_0001", "c_0002", "c_0003"]
for case in found.cases:  # a judge would call a model
    case.evaluators = [e for e in case.evaluators if type(e).__name__ != "LLMJudge"]
report = found.evaluate_sync(lambda inputs: "23 kg", progress=False)
assert len(report.cases) == 3 and not report.failures
assert not [f for c in report.cases for f in c.evaluator_failures]
"""
    tool(script, exported("pydantic-evals"), "pydantic-evals==2.62.0", "jsonschema")


def test_ragas_loads_both_files(exported, tool):
    script = """
import os
from ragas import EvaluationDataset
counts = [len(EvaluationDataset.from_jsonl(f)) for f in ("single_turn.jsonl", "multi_turn.jsonl")
          if os.path.exists(f) and os.path.getsize(f)]
assert sum(counts) == 3, counts
"""
    tool(script, exported("ragas"), "ragas==0.4.3", "langchain-community<0.4")


def test_mlflow_merges_the_records_once(exported, tool):
    script = """
import json, mlflow
mlflow.set_tracking_uri("sqlite:///m.db")
experiment = mlflow.create_experiment("x")
from mlflow.genai.datasets import create_dataset
rows = [json.loads(line) for line in open("records.jsonl")]
made = create_dataset(name="d", experiment_id=experiment)
made.merge_records(rows)
made.merge_records(rows)
assert len(made.to_df()) == 3
"""
    tool(script, exported("mlflow"), "mlflow==3.17.2")


def test_a_phoenix_server_gives_the_same_rows_back(exported, tool):
    script = """
import json, os, socket, subprocess, sys, time, urllib.request
with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
    ports = one.getsockname()[1], two.getsockname()[1]
env = {**os.environ, "PHOENIX_WORKING_DIR": os.getcwd(), "PHOENIX_PORT": str(ports[0]),
       "PHOENIX_GRPC_PORT": str(ports[1]), "PHOENIX_TELEMETRY_ENABLED": "false"}
phoenix = os.path.join(os.path.dirname(sys.executable), "phoenix")
server = subprocess.Popen([phoenix, "serve"], env=env, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
base = f"http://127.0.0.1:{ports[0]}"
try:
    for _ in range(300):
        try:
            urllib.request.urlopen(base + "/healthz", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    from phoenix.client import Client
    datasets = Client(base_url=base).datasets
    rows = [json.loads(line) for line in open("examples.jsonl")]
    datasets.create_dataset(name="jsonl", examples=rows)
    for row, got in zip(rows, datasets.get_dataset(dataset="jsonl").examples, strict=True):
        assert (got["id"], got["input"], got["output"]) == (row["id"], row["input"], row["output"])
    made = datasets.create_dataset(
        name="csv", csv_file_path="examples.csv", example_id_key="id", split_key="split",
        input_keys=["input"], output_keys=["output"], metadata_keys=["metadata"])
    assert [example["id"] for example in made.examples] == ["c_0001", "c_0002", "c_0003"]
finally:
    server.terminate()
    server.wait(30)
"""
    tool(script, exported("phoenix"), "arize-phoenix==20.26.1", "arize-phoenix-client==3.5.0")


def test_oaieval_reaches_the_matcher_with_every_sample(exported, tool):
    script = """
import json, os, subprocess, sys
oaieval = os.path.join(os.path.dirname(sys.executable), "oaieval")
for name, samples in (("match", 1), ("json", 1)):
    log = name + ".log.jsonl"
    subprocess.run([oaieval, "dummy", f"refund-regressions-{name}", "--registry_path", ".",
                    "--record_path", log], check=True)
    lines = [json.loads(line) for line in open(log)]
    assert any("final_report" in line for line in lines), lines
    assert sum(line.get("type") == "match" for line in lines) == samples, lines
"""
    needed = (
        "openai", "blobfile", "backoff", "numpy", "pyyaml", "tqdm", "lz4", "pandas", "fire",
        "pydantic", "termcolor", "snowballstemmer", "zstandard", "httpx", "filelock",
        "langchain-core", "jsonschema", "requests", "mock", "pyzstd", "sacrebleu", "matplotlib",
        "evaluate", "anthropic", "google-generativeai", "statsmodels", "nltk", "tiktoken",
        "setuptools<80",
    )  # fmt: skip
    tool(script, exported("openai-evals"), *needed, alone="evals==3.0.1.post1")


def test_openai_s_types_take_the_eval(exported, tool):
    script = """
import json
from pydantic import TypeAdapter
from openai.types import EvalCreateParams
TypeAdapter(EvalCreateParams).validate_python(json.load(open("eval.json")))
required = json.load(open("eval.json"))["data_source_config"]["item_schema"]["required"]
items = [json.loads(line)["item"] for line in open("items.jsonl")]
assert items and all(set(required) <= set(item) for item in items)
"""
    tool(script, exported("openai-evals-api"), "openai==3.57.0")


def test_pytest_names_the_cases_and_tells_good_from_bad(exported, tool):
    folder = exported("pytest")
    (folder / "conftest.py").write_text(
        "import os, pytest\n@pytest.fixture\ndef tracehub_program():\n"
        "    return lambda case: case['expected_output'] if os.path.exists('good') else 'bad'\n"
    )
    script = """
import pathlib, subprocess, sys
def run(*more):
    words = [sys.executable, "-m", "pytest", "--strict-markers", "-q", *more]
    return subprocess.run(words, capture_output=True, text=True)
listed = run("--collect-only", "-m", "tracehub_success").stdout
assert "test_case[c_0002]" in listed and "c_0001" not in listed, listed
assert run("--junitxml=j.xml").returncode == 1
assert 'name="tracehub_case" value="c_0002"' in pathlib.Path("j.xml").read_text()
pathlib.Path("good").touch()
assert run("-m", "tracehub_success or tracehub_format").returncode == 0
"""
    tool(script, folder, "pytest==9.2.0", "jsonschema")


def test_promptfoo_takes_the_config_and_runs_every_check(exported):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed.")
    folder, home = exported("promptfoo"), HOME / "promptfoo"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "node_modules" / ".bin" / "promptfoo").exists():
        try:
            subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "promptfoo@0.123.1", "node@22"],
                cwd=home, check=True, capture_output=True, timeout=INSTALL_SECONDS,
            )  # fmt: skip
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"promptfoo does not install: {error}")
    program = str(home / "node_modules" / ".bin" / "promptfoo")
    env = {"PATH": f"{home}/node_modules/.bin:/usr/bin:/bin", "HOME": str(folder),
           "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}  # fmt: skip
    said = subprocess.run(
        [program, "validate", "-c", "promptfooconfig.yaml"], cwd=folder, env=env, check=False,
        capture_output=True, text=True, timeout=RUN_SECONDS,
    )  # fmt: skip
    assert "Configuration is valid" in said.stdout + said.stderr, said.stdout + said.stderr

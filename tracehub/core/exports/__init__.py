"""Cases of an eval set -> files for other tools. One module per format, one row here each."""

from __future__ import annotations

from tracehub.core.exports import (
    braintrust,
    csv_table,
    dataset_files,
    deepeval,
    inspect_ai,
    langfuse,
    mlflow,
    native,
    openai_evals,
    openai_evals_api,
    openai_jsonl,
    parquet_table,
    promptfoo,
    pydantic_evals,
    pytest_files,
    ragas,
)
from tracehub.core.exports.base import Bundle, Download, ExportError, Format, Tally, download

FORMATS: dict[str, Format] = {
    fmt.name: fmt
    for fmt in (
        native.FORMAT,
        openai_jsonl.FORMAT,
        csv_table.FORMAT,
        parquet_table.FORMAT,
        promptfoo.FORMAT,
        inspect_ai.FORMAT,
        deepeval.FORMAT,
        dataset_files.LANGSMITH,
        langfuse.FORMAT,
        braintrust.FORMAT,
        openai_evals.FORMAT,
        openai_evals_api.FORMAT,
        ragas.FORMAT,
        mlflow.FORMAT,
        dataset_files.PHOENIX,
        pydantic_evals.FORMAT,
        pytest_files.FORMAT,
    )
}
ALIASES = {"jsonl": "native"}

__all__ = [
    "ALIASES",
    "FORMATS",
    "Bundle",
    "Download",
    "ExportError",
    "Format",
    "Tally",
    "download",
    "find",
]


def find(name: str, *, raw: bool = False) -> Format:
    """Return the format of this name; `raw` is CSV whose cells a spreadsheet may run.

    Raises ExportError, which names the known ones.
    """
    fmt = FORMATS.get(ALIASES.get(name, name))
    if fmt is None:
        known = ", ".join([*FORMATS, *ALIASES])
        raise ExportError(f"format must be one of {known}. Got {name[:60]!r}.")
    if raw and fmt is not csv_table.FORMAT:
        raise ExportError(f"raw goes with the format csv only. Got {fmt.name}.")
    return csv_table.RAW if raw else fmt

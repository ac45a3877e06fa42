"""Retrieved documents of any client as `{"id", "content", "score", "metadata"}`."""

from __future__ import annotations

from typing import Any

from tracehub.core.trace import Json
from tracehub.core.wire.values import dumped, number_of, object_of, parsed, text_of

CONTENT_KEYS = ("content", "page_content", "pageContent", "text", "document")
SCORE_KEYS = ("score", "relevance_score", "similarity")
LIST_KEYS = ("documents", "results", "output", "source_documents", "source_nodes", "nodes")


def document(content: Json, doc_id: Json = None, score: Json = None, metadata: Json = None) -> Json:
    """One document; id and score also from its metadata, where LangChain and MLflow put them."""
    meta = object_of(metadata) if metadata is not None else {}
    if score is None:
        score = meta.get("score", meta.get("relevance_score"))
    return {
        "id": text_of(doc_id) or text_of(meta.get("id")),
        "content": None if content is None else dumped(content),
        "score": number_of(score),
        "metadata": meta,
    }


def read_documents(value: Json) -> list[dict[str, Json]]:
    """Documents from a JSON list of them, or an object with such a list; else none."""
    value = parsed(value)
    if isinstance(value, dict):
        for key in LIST_KEYS:
            if isinstance(value.get(key), list):
                value = value[key]
                break
    if not isinstance(value, list):
        return []
    return [found for item in value if (found := _read_one(parsed(item))) is not None]


def _read_one(item: Json) -> dict[str, Json] | None:
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("kwargs"), dict) and item.get("lc") == 1:  # LangChain, serialised
        item = item["kwargs"]
    if isinstance(item.get("document"), dict):
        item = {**item, **item["document"]}
    if isinstance(item.get("node"), dict):  # LlamaIndex: {"node": {...}, "score"}
        item = {**item["node"], "score": item.get("score")}
    return _from_object(item)


def _from_object(item: dict[str, Any]) -> dict[str, Json] | None:
    content = next((item[key] for key in CONTENT_KEYS if item.get(key) is not None), None)
    if content is None and "id" not in item:
        return None
    score = next((item[key] for key in SCORE_KEYS if item.get(key) is not None), None)
    found: dict[str, Json] = document(
        content, item.get("id", item.get("id_")), score, item.get("metadata")
    )
    return found

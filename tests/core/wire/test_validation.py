"""Texts of validation libraries become pointers, rules and messages."""

from __future__ import annotations

import pytest

from tracehub.core.trace import ValidationError
from tracehub.core.wire.validation import errors_of_exception, is_validation_exception, read_errors

PYDANTIC = """Failed to parse Refund. Got: 2 validation errors for Refund
amount
  Input should be a valid number, unable to parse string as a number \
[type=float_parsing, input_value='418.60 EUR', input_type=str]
    For further information visit https://errors.pydantic.dev/2.11/v/float_parsing
items.0.na/me
  Field required [type=missing, input_value={}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.11/v/missing
For troubleshooting, visit: https://docs.langchain.com/"""
JSONSCHEMA = """'418.60 EUR' is not of type 'number'

Failed validating 'type' in schema['properties']['refund']['properties']['amount']:
    {'type': 'number'}

On instance['refund']['lines'][0]:
    '418.60 EUR'"""


def test_pydantics_text_gives_every_error_with_its_place():
    assert errors_of_exception(PYDANTIC) == [
        ValidationError(
            "/amount",
            "float_parsing",
            "Input should be a valid number, unable to parse string as a number",
        ),
        ValidationError("/items/0/na~1me", "missing", "Field required"),
    ]


def test_jsonschemas_text_gives_rule_and_place():
    assert errors_of_exception(JSONSCHEMA) == [
        ValidationError("/refund/lines/0", "type", "'418.60 EUR' is not of type 'number'")
    ]


def test_any_other_text_is_one_error_without_a_place():
    assert errors_of_exception("No object generated.") == [
        ValidationError("", "", "No object generated.")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "pydantic_core._pydantic_core.ValidationError",
        "jsonschema.exceptions.ValidationError",
        "langchain_core.exceptions.OutputParserException",
        "AI_NoObjectGeneratedError",
        "ModelRetry",
        "pydantic_ai.exceptions.UnexpectedModelBehavior",
        "dspy.utils.exceptions.AdapterParseError",
    ],
)
def test_exceptions_of_validation_libraries_are_known(name):
    assert is_validation_exception(name)


@pytest.mark.parametrize("name", [None, "ValueError", "openai.BadRequestError"])
def test_other_exceptions_are_none(name):
    assert not is_validation_exception(name)


@pytest.mark.parametrize("value", [None, 5, {}, [], [5], {"a": 1}, "", "[1"])
def test_other_values_give_no_errors_or_their_text(value):
    found = read_errors(value)
    assert found is None or found == [ValidationError("", "", value)]


def test_long_texts_are_read_in_bounded_time():
    text = "1 validation error for X\n" + "a" * 500_000 + "\n" + " " * 500_000
    assert errors_of_exception(text)
    assert errors_of_exception("Failed validating '" * 50_000)

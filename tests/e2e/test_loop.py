"""The whole loop as a person would do it, on a fresh installation and a real exporter."""

from __future__ import annotations

import json

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode
from playwright.sync_api import Page, expect

from tests import seed
from tests.browser import chromium

pytestmark = [pytest.mark.browser, pytest.mark.processes]

QUESTION = "SK 482 to Lisbon was cancelled. I want the money back, not a voucher."
ANSWER = {"refund": {"amount": "418.60 EUR", "method": "original_payment"}}
BROKEN = [{"pointer": "/refund/amount", "rule": "type", "message": "must be number."}]


def send_trace(url: str, key: str) -> str:
    """Send one trace of three spans with the OpenTelemetry SDK; return its id."""
    exporter = OTLPSpanExporter(
        endpoint=f"{url}/v1/traces", headers={"authorization": f"Bearer {key}"}
    )
    provider = TracerProvider(
        resource=Resource({"deployment.environment": "production", "service.version": "2026.11.3"})
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("skylane")
    messages = [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    said = [{"role": "assistant", "parts": [{"type": "text", "content": json.dumps(ANSWER)}]}]
    with tracer.start_as_current_span("airline-support") as root:
        root.set_attribute("gen_ai.operation.name", "invoke_agent")
        root.set_attribute("session.id", "s-91")
        with tracer.start_as_current_span("get_booking") as tool:
            tool.set_attribute("gen_ai.operation.name", "execute_tool")
            tool.set_attribute("gen_ai.tool.name", "get_booking")
            tool.set_attribute("gen_ai.tool.call.arguments", '{"pnr": "X7K2QD"}')
            tool.set_status(Status(StatusCode.ERROR, "503 Service Unavailable"))
        with tracer.start_as_current_span("compose-refund") as call:
            call.set_attribute("gen_ai.operation.name", "chat")
            call.set_attribute("gen_ai.provider.name", "openai")
            call.set_attribute("gen_ai.request.model", "gpt-4o")
            call.set_attribute("gen_ai.prompt.name", "refund")
            call.set_attribute("gen_ai.prompt.version", "v12")
            call.set_attribute("gen_ai.input.messages", json.dumps(messages))
            call.set_attribute("gen_ai.output.messages", json.dumps(said))
            call.set_attribute("gen_ai.usage.input_tokens", 2704)
            call.set_attribute("gen_ai.usage.output_tokens", 214)
            call.set_attribute("tracehub.validation_errors", json.dumps(BROKEN))
    provider.shutdown()
    return f"{root.get_span_context().trace_id:032x}"


@pytest.fixture
def page():
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        opened = context.new_page()
        errors: list[str] = []
        opened.on(
            "console",
            lambda m: errors.append(m.text) if m.type in {"error", "warning"} else None,
        )
        opened.on("pageerror", lambda error: errors.append(str(error)))
        yield opened
        assert errors == []


def test_from_a_sent_trace_to_an_exported_case(folder, start_up, run_command, page: Page):
    data = str(folder / "data")
    seed.copy_to(folder / "data")
    up = start_up(folder / "data")
    key = run_command("createkey", "--project", "default", "--scope", "ingest", "--data", data)
    link = run_command("createuser", "admin@localhost", "--data", data)
    page.goto(link.stdout.strip())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/default/**")

    trace_id = send_trace(up.url, key.stdout.strip())

    # Found: the list filters by what was sent, and the row opens with the keyboard.
    page.goto(f"{up.url}/default/traces?q=prompt:refund%40v12")
    row = page.locator("tbody tr", has_text="SK 482 to Lisbon")
    for _ in range(40):
        if row.count():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Validation error")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/traces/{trace_id}*")
    expect(page.get_by_text("must be number").first).to_be_visible()

    # Marked: a failure mode made in place, a note, promoted in the same submit.
    create_set(page, up.url)
    page.goto(f"{up.url}/default/traces/{trace_id}")
    page.keyboard.press("f")
    page.locator("#new-mode").fill("Wrong amount")
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    page.keyboard.type("Amount carries the currency.")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toast")).to_contain_text("Marked as fail")

    # Promoted: the draft has the case, and the export is one JSON line that says where it is from.
    page.goto(f"{up.url}/default/evals/refund-regressions")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSONL").first.click()
    lines = download.value.path().read_text().splitlines()
    case = json.loads(lines[0])
    assert len(lines) == 1
    assert case["source"]["trace_id"] == trace_id
    assert case["failure_modes"] == ["wrong-amount"]
    assert case["recorded_output"] == ANSWER

    # Counted: the charts know the request, its cost, and that it fails.
    page.goto(f"{up.url}/default/metrics?from=24h")
    expect(page.locator("main")).to_contain_text("100")
    expect(page.locator(".js-plotly-plot, .main-svg").first).to_be_visible()
    assert up.stop() == 0


def create_set(page: Page, url: str) -> None:
    page.goto(f"{url}/default/evals")
    page.get_by_label("Name", exact=True).fill("Refund regressions")
    page.get_by_role("button", name="Make set").click()
    page.wait_for_url("**/evals/refund-regressions*")

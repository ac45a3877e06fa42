"""What a person waits for, in Chromium on a real web process: paints, requests and bytes.

Needs `django.setup` with DATABASE_URL of the rows to look at; the web process gets the same.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from pages import served  # noqa: E402

# Each promises milliseconds as `window.took`: the policy of the page allows no `eval`.
# From the key to the frame that shows what it did.
KEY = """() => { window.took = new Promise((done) => addEventListener("keydown", () => {
    const began = performance.now();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
}, {once: true, capture: true})); }"""
# From the click to the first frame with other rows; some may be the same and stay.
ROWS = """() => { window.took = new Promise((done) => addEventListener("click", () => {
    const began = performance.now();
    new MutationObserver((_, seen) => {
        seen.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
    }).observe(document.querySelector(".browse__list"), {childList: true, subtree: true});
}, {once: true, capture: true})); }"""
# From the navigation to the frame with the first chart.
CHART = """
    window.took = new Promise((done, failed) => {
        const look = () => {
            if (document.querySelector(".main-svg .trace path")) {
                requestAnimationFrame(() => done(performance.now()));
            } else if (performance.now() > 30000) {
                failed(new Error("no chart within 30 s"));
            } else {
                requestAnimationFrame(look);
            }
        };
        look();
    });
"""
FACET = "#facet-model .facet__row"


def took(page: Any) -> float:
    """Return the milliseconds that the page has promised."""
    return float(page.evaluate("() => window.took"))


def traces(user: Any, path: str, rounds: int) -> dict[str, Any]:
    """Return the times of a list of traces, and what its first page costs with a warm cache."""
    from tests.browser import Signed, chromium

    with served() as base, chromium() as browser:
        signed = Signed(browser, base, user, width=1440, dark=False)
        page = signed.open(path)
        page.wait_for_selector(FACET)
        requests, received = _network(signed, path)
        keys, rows = [], []
        for _ in range(rounds * 2):
            page.evaluate(KEY)
            page.keyboard.press("j")
            keys.append(took(page))
        for turn in range(rounds + 1):
            signed.open(path)
            page.wait_for_selector(FACET)
            page.evaluate(ROWS)
            page.locator(FACET).nth(turn % 4).click()
            rows.append(took(page))
        signed.context.close()
    return {"key": keys[1:], "rows": rows[1:], "requests": requests, "received": received}


def _network(signed: Any, path: str) -> tuple[int, int]:
    """Return how many requests a page makes that the cache does not answer, and their bytes."""
    session = signed.context.new_cdp_session(signed.page)
    session.send("Network.enable")
    cached: set[str] = set()
    sizes: dict[str, int] = {}

    def answered(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            cached.add(event["requestId"])

    session.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    session.on("Network.responseReceived", answered)
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.__setitem__(event["requestId"], int(event["encodedDataLength"])),
    )
    signed.open(path)
    signed.page.wait_for_selector(FACET)
    signed.page.wait_for_load_state("networkidle")
    sent = {request: size for request, size in sizes.items() if request not in cached}
    return len(sent), sum(sent.values())


def metrics(user: Any, path: str, rounds: int) -> list[float]:
    """Return when the first chart was painted, in ms since the navigation, each with no cache."""
    from tests.browser import Signed, chromium

    found = []
    with served() as base, chromium() as browser:
        for _ in range(rounds):
            signed = Signed(browser, base, user, width=1440, dark=False)
            signed.page.add_init_script(CHART)
            signed.open(path)
            found.append(took(signed.page))
            signed.context.close()
    return [round(ms) for ms in found]

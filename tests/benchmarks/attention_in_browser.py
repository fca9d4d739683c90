"""Time from a click on the Attention page to the changed pixels, in Chromium, with the shipped ViT.

    python -m tests.benchmarks.attention_in_browser [--only pictures snapshots] [--rounds 40]

pictures   from clicking another picture on the tab Faithfulness to the first frame with the
           picture framed, with the new prediction in words (in the chart, where the words stay the
           same), with its chart, and with a curve of the new picture; and to the last change of the
           curves and of the sanity check.
snapshots  on the tab Training: from moving the slider to another snapshot to the first frame with
           its attention map, and to the last change of any chart; the same for another picture.

The clock starts with the event of the mouse or the keyboard and stops with the frame that follows
the change of a chart's drawing or of the words. No picture is shown twice.
"""

import re
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Page

from tests.benchmarks.app_runs import app, chromium, report, run_parts

CLICK = 0.150  # target in seconds
QUIET = 3000  # milliseconds without a change after which a page counts as complete
ROW, CELL = 6, 34  # pictures in a row of the sheet, and pixels of each
WARM_UP = 2  # clicks that do not count

# Note the time of the next click or key, and of the first and last frame after each chart changed.
WATCH = """(charts) => {
    window.watch?.disconnect();
    window.begun = null;
    window.first = {};
    window.last = {};
    const begin = () => { window.begun = performance.now(); };
    for (const name of ["pointerdown", "keydown"])
        document.addEventListener(name, begin, { capture: true, once: true });
    const nameOf = (node) => {
        const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
        if (element?.closest(".ahead, .charts > [hidden]")) return null;  // drawn, but not shown
        const words = element?.closest(".chart-title")?.textContent;
        if (words?.startsWith("Prediction:")) return "words";
        const text = element?.closest("[role=img]")?.getAttribute("aria-label") ?? "";
        return charts.find(([, begins, more]) => text.startsWith(begins) && text.match(more))?.[0];
    };
    window.watch = new MutationObserver((changes) => {
        const { begun } = window;
        if (begun === null) return;
        const names = new Set(changes.map(({ target }) => nameOf(target)).filter(Boolean));
        if (names.size) requestAnimationFrame(() => setTimeout(() => {
            for (const name of begun === window.begun ? names : []) {
                window.first[name] ??= performance.now() - begun;
                window.last[name] = performance.now() - begun;
            }
        }));
    });
    // The alternative text is set before the chart is drawn: only the drawing counts.
    const drawing = { subtree: true, childList: true, characterData: true, attributes: true };
    const attributes = ["d", "transform", "href", "xlink:href", "x", "y", "hidden"];
    window.watch.observe(document.body, { ...drawing, attributeFilter: attributes });
}"""
COMPLETE = """async (quiet) => {
    const latest = () => Math.max(0, ...Object.values(window.last));
    while (window.begun === null || !latest()
           || performance.now() - window.begun - latest() < quiet)
        await new Promise((resolve) => setTimeout(resolve, 50));
    return [window.first, window.last];
}"""


def changes(page: Page, charts: list[tuple[str, str, str]], act) -> tuple[dict, dict]:
    """Return the milliseconds until the first and the last frame with a change, by chart.

    Args:
        page: open page.
        charts: for each chart a name, the start of its alternative text, and a regular expression
            that the text matches when a change counts.
        act: function that clicks or presses a key.
    """
    page.evaluate(WATCH, charts)
    act()
    return page.evaluate(COMPLETE, QUIET)


def click_picture(page: Page, number: int) -> None:
    """Click a picture on the first page of the sheet."""
    sheet = page.get_by_role("img", name=re.compile("validation images to choose from"))
    place = sheet.evaluate(
        """(element, [x, y]) => {
            const { xaxis, yaxis } = element._fullLayout;
            const { left, top } = element.getBoundingClientRect();
            return [left + xaxis._offset + xaxis.d2p(x), top + yaxis._offset + yaxis.d2p(y)];
        }""",
        [(number % ROW + 0.5) * CELL, (number // ROW + 0.5) * CELL],
    )
    page.mouse.click(*place)


def open_tab(page: Page, url: str) -> None:
    """Open a tab of the page and wait until all is drawn and quiet."""
    page.goto(url)
    page.get_by_role("img", name=re.compile("^Most probable classes")).wait_for()
    page.wait_for_timeout(10_000)


def tell(name: str, milliseconds: list[float], target: float | None = CLICK) -> None:
    """Report the 95th percentile and the median."""
    late = quantiles(milliseconds, n=20)[-1]
    value = f"{late:.0f} ms (median {median(milliseconds):.0f})"
    wanted = f"{target * 1000:.0f} ms" if target else "none"
    report(name, value, wanted, target is None or late <= target * 1000)


def pictures(home: Path, rounds: int) -> None:
    """Measure another picture on the tab Faithfulness."""
    charts = [
        ("frame", "30 of 1000 validation images", ""),
        ("prediction", "Most probable classes", ""),
        ("curves", "Probability of", r"AUC: \w"),
        ("sanity", "Rank correlation", ""),
    ]
    firsts, lasts = [], []
    with app(home) as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 2400})
        open_tab(page, f"{server.url}/attention?run=vit&view=faithfulness")
        for number in range(1, min(29, rounds + WARM_UP) + 1):
            first, last = changes(page, charts, lambda number=number: click_picture(page, number))
            firsts.append(first)
            lasts.append(last)
    firsts, lasts = firsts[WARM_UP:], lasts[WARM_UP:]
    words = [each.get("words", each["prediction"]) for each in firsts]
    tell("Faithfulness, another picture: framed", [each["frame"] for each in firsts])
    tell("Faithfulness, another picture: prediction", words)
    tell("Faithfulness, another picture: its chart", [each["prediction"] for each in firsts], None)
    tell("Faithfulness, another picture: first curve", [each["curves"] for each in firsts], None)
    tell("Faithfulness, another picture: all curves", [each["curves"] for each in lasts], None)
    tell("Faithfulness, another picture: sanity check", [each["sanity"] for each in lasts], None)


def snapshots(home: Path, rounds: int) -> None:
    """Measure the slider, and another picture, on the tab Training."""
    charts = [
        ("prediction", "Most probable classes", ""),
        ("attention", "Attention of CLS", ""),
        ("rollout", "Rollout after", ""),
        ("state", "Prediction after", ""),
        ("development", "Accuracy at each", ""),
    ]
    moved, moved_all, other, other_all = [], [], [], []
    with app(home) as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        open_tab(page, f"{server.url}/attention?run=vit&view=training&snapshot=0")
        slider = page.get_by_role("slider", name="Epochs trained")
        for number in range(rounds + WARM_UP):
            slider.focus()
            key = "ArrowLeft" if number // 8 % 2 else "ArrowRight"
            first, last = changes(page, charts, lambda key=key: page.keyboard.press(key))
            moved.append(first["attention"])
            moved_all.append(max(last.values()))
        for number in range(1, min(29, rounds + WARM_UP) + 1):
            first, last = changes(page, charts, lambda number=number: click_picture(page, number))
            other.append(first["attention"])
            other_all.append(max(last.values()))
    tell("Training, another snapshot: attention map", moved[WARM_UP:])
    tell("Training, another snapshot: all charts", moved_all[WARM_UP:])
    tell("Training, another picture: attention map", other[WARM_UP:])
    tell("Training, another picture: all charts", other_all[WARM_UP:], None)


if __name__ == "__main__":
    run_parts(__doc__, (pictures, snapshots), rounds=40)

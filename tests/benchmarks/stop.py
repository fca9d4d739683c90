"""Time from pressing Stop to the words "Stopped after", in Chromium, at random times in a run.

    python -m tests.benchmarks.stop [--rounds 30]

The clock starts with the event of the mouse and looks every 20 ms.
"""

import random
import re
from pathlib import Path
from statistics import median

from tests.benchmarks.app_runs import app, chromium, report, run_parts

WITHIN = 1.0  # target in seconds, for every press

# The words are in the shadow root of a component.
WATCH = """() => {
    window.took = new Promise((done) => document.addEventListener("pointerdown", () => {
        const begun = performance.now();
        const isShown = ({ shadowRoot }) => shadowRoot?.textContent.includes("Stopped after");
        const look = () => {
            if ([...document.querySelectorAll("*")].some(isShown)) done(performance.now() - begun);
            else setTimeout(look, 20);
        };
        look();
    }, { once: true, capture: true }));
}"""


def stop(home: Path, rounds: int) -> None:
    """Start and stop runs of the first settings that the page shows."""
    seconds = []
    with app(home) as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{server.url}/?epochs=60")
        page.wait_for_timeout(5000)
        for _ in range(rounds):
            page.get_by_role("button", name="Train", exact=True).click()
            page.get_by_text(re.compile(r"Epoch [3-9] of 60 .* left")).wait_for()
            page.wait_for_timeout(random.uniform(0, 1000))
            page.evaluate(WATCH)
            page.get_by_role("button", name="Stop", exact=True).click()
            seconds.append(page.evaluate("window.took") / 1000)
            page.wait_for_timeout(1000)
    in_time = sum(second <= WITHIN for second in seconds)
    value = f"{median(seconds):.2f} s, at most {max(seconds):.2f}"
    report(f"Stop, {in_time} of {rounds} within a second", value, "all", in_time == rounds)


if __name__ == "__main__":
    run_parts(__doc__, (stop,), rounds=30)

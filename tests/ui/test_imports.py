"""The app loads no large module before it is used: it starts faster and takes less memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from vitdemo.ui.lessons.order import ORDER

ROOT = Path(__file__).parents[2]
UNUSED = ["pandas", "pyarrow", "torch._dynamo", "torchvision", "torchmetrics"]
LESSONS = [page.script for page in ORDER if page.name != "training"]  # that one uses torchmetrics
PROGRAM = """
import sys
import torch
from streamlit.testing.v1 import AppTest

from vitdemo.background.training_queue import QUEUE

QUEUE.when_idle = lambda task: False  # measuring a run's time loads torchmetrics
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception
assert any(header.value == "Confusion matrix" for header in app.header), "no results"
for page in PAGES:
    assert not app.switch_page(page).run().exception, page
print(*sorted(set(sys.modules) & set(sys.argv[1:])))
"""
FIRST_PAINT = """
import gc
import sys
from streamlit.testing.v1 import AppTest

at_start = set(sys.modules)
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception
assert app.slider[0].label == "Depth"
assert gc.get_freeze_count() > 0.8 * (gc.get_freeze_count() + len(gc.get_objects()))
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - at_start}))
"""

AFTER_THE_FIRST_PAINT = """
import sys
from streamlit.testing.v1 import AppTest

from vitdemo.ui import loading

loading.has_many_people = lambda: sys.argv[1] == "many"
app = AppTest.from_file("app.py", default_timeout=60).run()
assert "torch" not in sys.modules
app.run()
assert "torch" in sys.modules
print(*sorted(set(sys.modules) & {"torchmetrics"}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("people", "loaded"), [("one", []), ("many", ["torchmetrics"])])
def test_a_server_for_many_loads_what_training_needs_at_once(people, loaded):
    done = subprocess.run(
        [sys.executable, "-c", AFTER_THE_FIRST_PAINT, people],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == loaded


def test_first_paint_waits_for_no_large_module():
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PAINT], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert "vitdemo" in imported
    assert not imported & {"torch", "numpy", "plotly", "pandas", "pyarrow", "PIL", "torchvision"}


@pytest.mark.slow
def test_pages_load_no_large_unused_modules():
    program = f"PAGES = {['pages/attention.py', *LESSONS]}\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-c", program, *UNUSED], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []

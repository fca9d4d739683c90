"""The app loads no large module before it is used: it starts faster and takes less memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from vitdemo.ui.lessons.order import ORDER

ROOT = Path(__file__).parents[2]
UNUSED = ["pandas", "pyarrow", "torch._dynamo", "torchvision", "torchmetrics"]
LESSONS = [page.script for page in ORDER]
PROGRAM = """
import sys
from time import sleep
import torch
from streamlit.testing.v1 import AppTest

app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception
assert any(header.value == "Confusion matrix" for header in app.header), "no results"
for page in PAGES:
    assert not app.switch_page(page).run().exception, page

from vitdemo.background.training_queue import QUEUE
while QUEUE.threads_in_use():
    sleep(0.1)  # training steps that measure the speed
print(*sorted(set(sys.modules) & set(sys.argv[1:])))
"""


@pytest.mark.slow
def test_pages_load_no_large_unused_modules():
    program = f"PAGES = {['pages/attention.py', *LESSONS]}\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-c", program, *UNUSED], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []

"""Where runs train is chosen by a variable; a cluster that cannot be used is said in a sentence."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from open_app import by_label, open_app

from vitdemo.background import executor
from vitdemo.background.ray_executor import VERSION, RayExecutor
from vitdemo.background.training_queue import QUEUE, TrainingQueue
from vitdemo.config import ConfigError
from vitdemo.machine import available_cores
from vitdemo.runs.run import list_runs

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("value", [None, "", " "])
def test_without_an_address_runs_train_here(monkeypatch, value):
    monkeypatch.delenv("VITDEMO_RAY_ADDRESS", raising=False)
    if value is not None:
        monkeypatch.setenv("VITDEMO_RAY_ADDRESS", value)
    chosen = executor.chosen_executor()
    assert (type(chosen), chosen.is_here) == (executor.ThisProcess, True)
    assert chosen.cores == available_cores()


def test_address_chooses_the_cluster(monkeypatch):
    monkeypatch.setenv("VITDEMO_RAY_ADDRESS", "127.0.0.1:6379")
    chosen = executor.chosen_executor()
    assert (type(chosen), chosen.is_here, chosen.threads) == (RayExecutor, False, 1)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["", "127.0.0.1:6379"])
def test_importing_the_queue_imports_no_ray(address):
    code = (
        "import sys; from vitdemo.background.training_queue import QUEUE; "
        "print(type(QUEUE.executor).__name__, 'ray' in sys.modules)"
    )
    environment = os.environ | {"VITDEMO_RAY_ADDRESS": address}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["RayExecutor" if address else "ThisProcess", "False"]


def test_missing_package_is_said_and_no_run_is_left(monkeypatch, tiny, short):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    queue = TrainingQueue(executor=RayExecutor("127.0.0.1:6379"))
    with pytest.raises(ConfigError, match=f"pip install ray=={VERSION}"):
        queue.submit(tiny, short)
    assert list_runs() == queue.list() == []


@pytest.mark.parametrize("address", ["auto", "server", "ray://server:10001", "server:", ":6379"])
def test_address_of_another_form_is_refused(address):
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match="not of the form host:port"):
        RayExecutor(address).connect()


def test_cluster_that_is_not_there(tiny, short):
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    queue = TrainingQueue(executor=RayExecutor(f"127.0.0.1:{port}"))
    with pytest.raises(ConfigError, match=rf"127.0.0.1:{port} cannot be used \(.*refused"):
        queue.submit(tiny, short)
    assert list_runs() == queue.list() == []


@pytest.mark.slow
def test_page_says_that_the_cluster_cannot_be_used(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(QUEUE, "executor", RayExecutor("127.0.0.1:6379"))
    app = open_app(depth=1, embed_dim=16)
    by_label(app.button, "Train").click().run()
    assert not app.exception
    assert "VITDEMO_RAY_ADDRESS is set, and the package ray is not installed" in app.error[0].value
    assert list_runs() == []


def test_pages_use_all_cores_of_the_server_beside_runs_on_a_cluster(monkeypatch):
    monkeypatch.setattr(TrainingQueue, "busy", lambda _: True)
    assert TrainingQueue(executor=executor.ThisProcess()).spare_cores() == 1
    there = TrainingQueue(executor=RayExecutor("127.0.0.1:6379"))
    assert there.spare_cores() == available_cores()
    assert there.most_threads == 1


def test_version_is_that_of_the_tests():
    lines = (ROOT / "tests" / "requirements.txt").read_text().splitlines()
    assert f"ray=={VERSION}" in lines

"""Pages wait for a task that starts by itself until it is done, however busy the machine is."""

import pytest


@pytest.fixture(autouse=True)
def patient_pages(monkeypatch):
    monkeypatch.setattr("vitdemo.ui.task_panel.PATIENCE", 60)

"""What is imported once is not searched for garbage again and again."""

import gc

from open_app import open_app

from vitdemo.ui import loading


def test_imported_code_is_not_searched_for_garbage(saved_run, monkeypatch):
    monkeypatch.setattr(loading, "_modules", 0)
    gc.unfreeze()
    gc.collect()
    everything = len(gc.get_objects())
    open_app("pages/attention.py", run=saved_run.id)
    try:
        assert gc.get_freeze_count() > 0.9 * everything
        assert len(gc.get_objects()) < 0.5 * everything
        frozen = gc.get_freeze_count()
        open_app("pages/attention.py", run=saved_run.id)
        assert gc.get_freeze_count() <= frozen  # once is enough
    finally:
        gc.unfreeze()

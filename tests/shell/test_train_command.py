"""`python -m vitdemo train`: what it prints, writes and keeps."""

from tests.shell.commands import KEYS, TINY, error_of, interrupt, lines_of, stopped_main
from vitdemo.__main__ import main
from vitdemo.runs.checkpoint import load_checkpoint
from vitdemo.runs.run import list_runs, load_weights
from vitdemo.runs.snapshots import snapshot_steps
from vitdemo.training.loop import BatchEnd


def test_train_writes_one_json_line_per_epoch(tmp_path, capsys):
    main([*TINY, "--json", str(tmp_path / "metrics.jsonl")])
    lines = lines_of(tmp_path / "metrics.jsonl")
    assert [line["epoch"] for line in lines] == [1, 2]
    for line in lines:
        assert set(line) == {"epoch", "train", "validation", "seconds", "images_per_second"}
        for part in ("train", "validation"):
            assert list(line[part]) == KEYS
        assert line["seconds"] > 0
        assert line["images_per_second"] > 0
    printed = capsys.readouterr().out
    assert (
        f"train loss {lines[0]['train']['loss']:.4f} accuracy {lines[0]['train']['accuracy']:.1%}"
        in printed
    )
    assert f"validation loss {lines[1]['validation']['loss']:.4f}" in printed


def test_existing_json_file_is_overwritten(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text("old\n")
    main([*TINY, "--json", str(file)])
    assert len(lines_of(file)) == 2


def test_run_is_on_the_list(capsys):
    main([*TINY, "--seed", "5"])
    (run,) = list_runs()
    assert (run.state, run.threads, len(run.history), run.training.seed) == ("finished", 1, 2, 5)
    assert run.model.embed_dim == 8
    assert load_weights(run).config == run.model
    assert f"run {run.id}" in capsys.readouterr().out


def test_same_seed_gives_the_same_metrics(tmp_path):
    metrics = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        given = ["--seed", str(seed), "--augmentation", "flip_and_translate"]
        main([*TINY, *given, "--json", str(tmp_path / name)])
        metrics.append([(line["train"], line["validation"]) for line in lines_of(tmp_path / name)])
    assert metrics[0] == metrics[1]
    assert metrics[0] != metrics[2]


def test_diverged_run_is_listed_as_failed():
    error_of(*TINY, "--learning-rate", "10", "--weight-decay", "10", "--epochs", "60")
    (run,) = list_runs()
    assert run.state == "failed"
    assert "The loss is no longer finite" in run.message


def test_interrupted_run_keeps_its_complete_epochs(monkeypatch, capsys):
    interrupt(monkeypatch, 2, BatchEnd)
    stopped_main(TINY)
    (run,) = list_runs()
    assert (run.state, len(run.history)) == ("stopped", 1)
    assert load_weights(run).config == run.model
    expected = f"Stopped. Complete epochs are kept.\nResume with --resume {run.id}.\n"
    assert expected in capsys.readouterr().out


def test_snapshots_are_copied_to_a_folder(tmp_path, monkeypatch):
    arguments = [
        *TINY,
        "--epochs=6",
        "--batch-size=2",
        "--validation-images=20",
        "--precision=float32",
    ]
    folder = tmp_path / "snapshots"
    with monkeypatch.context() as patched:
        interrupt(patched, 4, BatchEnd)
        stopped_main([*arguments, "--snapshots", str(folder)])
    (run,) = list_runs()
    main(["train", "--resume", run.id, "--snapshots", str(folder)])
    expected = snapshot_steps(6, 10)
    cards = [load_checkpoint(folder / f"{n}.safetensors")[1] for n in range(1, len(expected) + 1)]
    assert len(list(folder.iterdir())) == len(expected)
    assert [card["step"] for card in cards] == expected
    assert [card["epochs"] for card in cards] == [step / 10 for step in expected]


def test_dead_run_ends_with_what_to_change(capsys):
    main([*TINY, "--learning-rate=1e-7", "--epochs=3", "--train-images=300"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("the learning rate of 1e-07 is too low. Raise it to 0.001.")

"""The README's code runs as printed."""

import re
from pathlib import Path

import pytest
import torch

from vitdemo import load_checkpoint
from vitdemo.data.cifar10 import normalize
from vitdemo.files import SHIPPED

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_readme_has_python_code():
    assert len(BLOCKS) == 3


@pytest.mark.slow
@pytest.mark.parametrize("code", [block for block in BLOCKS if "train(" in block], ids=range(2))
def test_python_code_runs_as_printed(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert "EpochEnd(epoch=2" in capsys.readouterr().out


def test_own_images_take_ten_lines():
    (code,) = (block for block in BLOCKS if "Split(" in block)
    lines = [line for line in code.splitlines() if line and not line.startswith("import")]
    assert len(lines) <= 10
    assert "save_checkpoint" in code


@pytest.mark.slow
def test_timm_code_runs_as_printed(tmp_path, monkeypatch):
    (code,) = (block for block in BLOCKS if "timm" in block)
    (tmp_path / "checkpoints").symlink_to(SHIPPED)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    saved, card = load_checkpoint("deit_tiny.safetensors")
    assert len(card["classes"]) == saved.config.num_classes == 1000
    images = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    mean, std = (torch.tensor(names["theirs"].pretrained_cfg[key]) for key in ("mean", "std"))
    with torch.no_grad():
        expected = names["theirs"].eval()((images / 255 - mean[:, None, None]) / std[:, None, None])
        torch.testing.assert_close(saved(normalize(images)), expected, rtol=1e-3, atol=1e-4)

"""The steps of the Dockerfile, and the files that it copies into the image."""

import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

PROJECT = Path(__file__).parents[2]
HOME = "/home/user"  # of the user in the image
PORT = "8501"


def steps() -> list[tuple[str, str]]:
    """Return each instruction of the Dockerfile with its arguments, its lines joined."""
    lines = (PROJECT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    words = (step.split(maxsplit=1) for step in text.replace("\\\n", "").splitlines() if step)
    return [(instruction, arguments) for instruction, arguments in words]


def arguments(instruction: str) -> list[str]:
    """Return the arguments of every step with this instruction, in their order."""
    return [arguments for name, arguments in steps() if name == instruction]


def copy_context(folder: Path) -> None:
    """Copy what Git tracks and .dockerignore leaves in, which is what `COPY . .` copies.

    The files are taken as they are now, so that a change is tested before it is committed.
    """
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    tracked = subprocess.run(
        ["git", "-c", f"safe.directory={PROJECT}", "ls-files", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, tracked):
        path = Path(name)
        if any(fnmatch(path.parts[0], pattern) for pattern in ignored):
            continue
        if (PROJECT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / path, folder / path)

"""What people say of a run: whose it is, what it is called, and who may see it.

It is a file of its own, as the other files of a run belong to whoever trains it.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..files import is_plain, json_text, read_small, write_atomically
from . import changes

FILE = "about.json"
LONGEST = 60  # characters of a name, a nickname or a tag
MOST_TAGS = 10
MOST_BYTES = 2**16  # of the file


@dataclass(frozen=True)
class About:
    """What people say of a run. Nothing of it changes what is trained."""

    owner: str = ""  # hash of the owner's secret; empty on a server that only one person uses
    nickname: str = ""  # of the owner
    name: str = ""  # of the run
    tags: tuple[str, ...] = ()
    shared: bool = False  # whether everyone with its link may read it
    published: bool = False  # whether the teacher lists it for everyone
    pinned: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether the run stays when old runs are trimmed."""
        return self.pinned or self.shared or self.published


NO_OWNER = About()  # of runs that nobody has said anything of


def read_about(folder: Path) -> About:
    """Return what the file in a run's folder says; a run without one has no owner.

    Raises:
        ValueError: it is damaged.
    """
    from . import checks  # loads torch, and pages ask before that who their visitor is

    path = folder / FILE
    if not os.path.lexists(path):
        return NO_OWNER
    if not is_plain(path):
        raise ValueError(f"{FILE} is not a file")
    values = checks.mapping(json.loads(read_small(path, MOST_BYTES)), FILE)
    tags = values.get("tags", [])
    if not isinstance(tags, list) or len(tags) > MOST_TAGS:
        raise ValueError(f"tags is not a list of at most {MOST_TAGS}")
    texts = {
        name: checks.text(values.get(name, ""), name) for name in ("owner", "nickname", "name")
    }
    choices = {name: values.get(name) is True for name in ("shared", "published", "pinned")}
    return About(**texts, tags=tuple(checks.text(tag, "a tag") for tag in tags), **choices)


def write_about(folder: Path, about: About) -> None:
    """Write the file. A kill at any moment leaves the old one or the new one."""
    write_atomically(folder / FILE, json_text(asdict(about), indent=2).encode())
    changes.note(folder.name)


def short(text: str) -> str:
    """Return what a person typed as a name: on one line, of at most LONGEST characters."""
    return " ".join(text.split())[:LONGEST].rstrip()

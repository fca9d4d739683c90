"""Delete a run."""

import shutil

from ..config import ConfigError
from ..files import reason
from . import changes, lock
from .run import saved_run


def delete_run(run_id: str) -> None:
    """Delete a local run, damaged or not, with everything in its folder.

    Raises:
        ConfigError: there is no such run, it is in training, or the disk refuses.
    """
    run = saved_run(run_id)
    if run is None:
        raise ConfigError(f"There is no run {run_id[:40]} on this machine.")
    if lock.is_held(run.folder):
        raise ConfigError(f"Run {run_id} is in training. Stop it before you delete it.")
    try:
        if run.folder.is_symlink():
            run.folder.unlink()
        else:
            shutil.rmtree(run.folder)
    except OSError as error:
        changes.note(run_id)  # some of its files may be gone
        raise ConfigError(f"Run {run_id} cannot be deleted: {reason(error)}.") from error

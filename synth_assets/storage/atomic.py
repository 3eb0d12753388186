"""Files that are whole or not there: written beside their place, synced, and renamed into it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_beside(target: Path, content: bytes) -> Path:
    """A finished, synced file beside the target, ready to be renamed; none is left behind on failure."""
    path = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


@contextmanager
def swapped_in(finished: Path, target: Path) -> Iterator[None]:
    """Rename the finished file into place; if the body then fails, put the previous one back."""
    previous = target.with_name(f".{target.name}.{os.getpid()}.previous")
    if target.exists():
        os.link(target, previous)
    try:
        os.replace(finished, target)
        yield
        descriptor = os.open(target.parent, os.O_RDONLY)
        os.fsync(descriptor)  # the rename itself survives a power cut
        os.close(descriptor)
    except BaseException:
        if previous.exists():
            os.replace(previous, target)
        else:
            target.unlink(missing_ok=True)
        raise
    finally:
        previous.unlink(missing_ok=True)

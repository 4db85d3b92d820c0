"""Writing a file so that a crash leaves the old one whole. Knows nothing of what is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LEAST_NAME = 40
"""Letters of a name that its neighbour keeps: with more it might be too long for the disk."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; on success it is flushed and renamed to `path`.

    The name keeps its suffix, since writers choose the format by it. On failure the new file is
    removed and the old one stays. OSError at once, by the name of `path`, where none can be.
    """
    beside = path.with_name(f".{path.stem[:LEAST_NAME]}.{os.getpid()}{path.suffix}")
    try:
        beside.open("wb").close()
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        beside.unlink()
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(OSError):  # what went wrong before is told
            beside.unlink()

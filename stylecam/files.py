"""Writes a file so that a crash leaves the old one intact. Knows nothing about its contents."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_NAME = 40
"""Characters that a temporary name takes from the real one: with more it might be too long."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; on success it is flushed and renamed to `path`.

    It has the suffix of `path`, since writers choose the format by it. On failure the new file is
    removed and the old one stays. Raises OSError, naming `path`, at once if it cannot be created.
    """
    beside = path.with_name(f".{path.stem[:LONGEST_NAME]}.{os.getpid()}{path.suffix}")
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
        with suppress(OSError):  # an earlier error is the one to report
            beside.unlink()

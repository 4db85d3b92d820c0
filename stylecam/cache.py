"""Compiled networks that are kept, whole and not too many, and what was timed. Knows files only."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import platformdirs

from stylecam.files import replacing

log = logging.getLogger(__name__)

COMPILED_MODELS = 6
"""That are kept in memory; a stream has two, a folder of pictures one for each size."""

MOST_BYTES = 50_000_000
"""Each frame size leaves a few networks."""

LONGEST_WAIT_S = 30.0
"""For another process that is in the folder. It compiles for a second or a few."""


def folder() -> Path:
    """Where they are kept."""
    return Path(platformdirs.user_cache_dir("stylecam", appauthor=False)) / "openvino"


@contextmanager
def alone() -> Iterator[Path | None]:
    """The folder, while no other process does anything in it; None where none can be used."""
    from filelock import FileLock

    lock = FileLock(folder() / "lock", timeout=LONGEST_WAIT_S)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:  # a timeout is one, too
        yield None
        return
    try:
        yield folder()
    finally:
        lock.release()


def sweep() -> None:
    """Removes what is damaged, saying so once, and beyond MOST_BYTES what was made longest ago.

    OpenVINO notices a network that is cut short; one whose numbers have changed it would run.
    """
    with alone() as here:
        if here:
            _sweep()


def _sweep() -> None:
    sums = recall("sums")
    with suppress(OSError):
        blobs = sorted(folder().glob("*.blob"), key=lambda p: p.stat().st_mtime, reverse=True)
        unsealed = {blob for blob in blobs if blob.name not in sums}  # perhaps half written
        damaged = {blob for blob in blobs if sums.get(blob.name) != _sum(blob)} - unsealed
        sizes = accumulate(blob.stat().st_size for blob in blobs)
        for blob, size in zip(blobs, sizes, strict=True):
            if blob in damaged | unsealed or size > MOST_BYTES:
                blob.unlink()
                sums.pop(blob.name, None)
        remember("sums", sums)
        if damaged:
            log.warning(
                "%d of %d compiled networks in %s were damaged; they are built anew",
                *(len(damaged), len(blobs), folder()),
            )


def seal() -> None:
    """Notes what the networks written since the last time must look like when they are read; for
    who is `alone`."""
    sums = recall("sums")
    with suppress(OSError):
        blobs = list(folder().glob("*.blob"))
        remember("sums", {blob.name: sums.get(blob.name) or _sum(blob) for blob in blobs})


def recall(name: str) -> dict[str, Any]:
    """What was remembered under that name, if it can be read. What is damaged is removed, and said
    so."""
    path = folder() / f"{name}.json"
    with suppress(OSError):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        path.unlink()
        log.warning("%s was damaged; what it said is found anew", path)
    return {}


def remember(name: str, facts: dict[str, Any]) -> None:
    """Keeps the facts for `recall`, if they can be written."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        with replacing(folder() / f"{name}.json") as beside:
            beside.write_text(json.dumps(facts), encoding="utf-8")


def _sum(blob: Path) -> int:
    return zlib.crc32(blob.read_bytes())

"""The cache on disk: compiled networks, checked and limited in size; timings. Knows files only."""

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
"""Compiled networks that an engine keeps in memory. A stream uses two, a folder of pictures one for
each size."""

MOST_BYTES = 50_000_000
"""Limit for the compiled networks on disk: each frame size adds a few."""

LONGEST_WAIT_S = 30.0
"""Longest wait for another process that uses the folder. It compiles for a few seconds."""


def folder() -> Path:
    """The folder of the compiled networks and the timings."""
    return Path(platformdirs.user_cache_dir("stylecam", appauthor=False)) / "openvino"


@contextmanager
def alone() -> Iterator[Path | None]:
    """Yields the folder, locked against other processes, or None if it cannot be used."""
    from filelock import FileLock

    lock = FileLock(folder() / "lock", timeout=LONGEST_WAIT_S)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:  # which a timeout is, too
        yield None
        return
    try:
        yield folder()
    finally:
        lock.release()


def sweep() -> None:
    """Removes damaged networks (with one warning), unsealed ones, and the oldest above MOST_BYTES.

    OpenVINO notices a truncated network, but would run one whose numbers have changed.
    """
    with alone() as here:
        if here:
            _sweep()


def _sweep() -> None:
    sums = recall("sums")
    with suppress(OSError):
        blobs = sorted(folder().glob("*.blob"), key=lambda p: p.stat().st_mtime, reverse=True)
        unsealed = {blob for blob in blobs if blob.name not in sums}  # perhaps written only in part
        damaged = {blob for blob in blobs if sums.get(blob.name) != _sum(blob)} - unsealed
        sizes = accumulate(blob.stat().st_size for blob in blobs)
        for blob, size in zip(blobs, sizes, strict=True):
            if blob in damaged | unsealed or size > MOST_BYTES:
                blob.unlink()
                sums.pop(blob.name, None)
        remember("sums", sums)
        if damaged:
            log.warning(
                "%d of %d compiled networks in %s were damaged; they will be compiled again",
                *(len(damaged), len(blobs), folder()),
            )


def seal() -> None:
    """Records the checksums of the networks written since the last call. The caller must
    hold `alone`."""
    sums = recall("sums")
    with suppress(OSError):
        blobs = list(folder().glob("*.blob"))
        remember("sums", {blob.name: sums.get(blob.name) or _sum(blob) for blob in blobs})


def recall(name: str) -> dict[str, Any]:
    """The facts remembered under that name; {} if there are none that can be read. A damaged file
    is removed, with a warning."""
    path = folder() / f"{name}.json"
    with suppress(OSError):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        path.unlink()
        log.warning("%s was damaged; it will be measured again", path)
    return {}


def remember(name: str, facts: dict[str, Any]) -> None:
    """Stores facts for `recall`. Failing to write them is not an error."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        with replacing(folder() / f"{name}.json") as beside:
            beside.write_text(json.dumps(facts), encoding="utf-8")


def _sum(blob: Path) -> int:
    return zlib.crc32(blob.read_bytes())

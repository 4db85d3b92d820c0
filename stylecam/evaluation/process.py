"""Memory and threads of this process, as Linux reports them. Knows nothing of what it does."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def resident_mb() -> float | None:
    """Returns its resident memory in MB, or None on other systems."""
    if not sys.platform.startswith("linux"):
        return None
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def threads() -> int | None:
    """Returns the number of its threads, including those of libraries, or None on other systems."""
    if not sys.platform.startswith("linux"):
        return None
    return sum(1 for _ in Path("/proc/self/task").iterdir())

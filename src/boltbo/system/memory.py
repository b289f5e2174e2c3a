"""The most memory that this process held during a stretch of work."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def begin_peak() -> bool:
    """Begin a stretch; False where the peak cannot be set back (no Linux), and earlier work counts too.

    There is one peak for the process: of a stretch that another one begins within, only what follows counts.
    """
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak_mib(began: bool = False) -> int | None:
    """MiB, since `begin_peak` where that answered True, else since the process began; None where no system says."""
    if began:
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    # Linux counts in KiB, macOS in bytes
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // (2**20 if sys.platform == "darwin" else 2**10)

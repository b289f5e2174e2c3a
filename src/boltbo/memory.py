"""The most memory that this process held during a stretch of work."""

from __future__ import annotations

import resource
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def begin_peak() -> bool:
    """Begin a stretch; False where the peak cannot be set back (no Linux), and earlier work counts too."""
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak_mib(began: bool) -> int:
    """MiB, since `begin_peak` where that answered True, else since the process began."""
    if began:
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024

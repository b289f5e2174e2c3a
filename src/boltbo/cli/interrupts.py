"""Deliver every Ctrl-C, also one that Python would swallow."""

from __future__ import annotations

import _thread
import sys
import threading

AGAIN = 0.05
"""Seconds after which an interrupt that was swallowed comes again: by then the callback that swallowed it has returned."""


def deliver_interrupts() -> None:
    """Repeat an interrupt that fell into a callback of the garbage collector or a finalizer.

    Python can raise nothing out of those: it reports a KeyboardInterrupt there as ignored, and a campaign would go on.
    """
    report = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            report(unraisable)
            return
        again = threading.Timer(AGAIN, _thread.interrupt_main)
        again.daemon = True
        again.start()

    sys.unraisablehook = hook

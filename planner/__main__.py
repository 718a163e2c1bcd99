"""Where `plan` begins: so little that Ctrl-C ends it quietly while the rest is imported."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130
"""`ExitCode.INTERRUPTED`, before anything is imported."""


def main() -> None:
    """Runs the command line."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from planner.cli import main as commands  # noqa: PLC0415  (Ctrl-C is taken care of first)

    commands()


if __name__ == "__main__":
    main()

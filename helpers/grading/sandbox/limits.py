"""What one submission may use, and what happens to whoever wants more."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds on one worker.

    Attributes:
        cell_seconds: Processor time for one cell (seconds).
        call_seconds: Processor time for one call of an answer (seconds).
        notebook_seconds: Processor time for everything a notebook needs (seconds).
        memory_bytes: Memory beyond that of the warm server, shared pages included (bytes).
        files_bytes: Room for files, all together and each (bytes).
        processes: Processes and threads at once.
        open_files: Open files at once.
        patience: Seconds on the clock for each second of processor time, after which a worker that
            sleeps is given up. The three times above are processor time of the submission, so that
            a busy machine costs nobody marks.
        grace_seconds: Time between asking a worker to stop and killing it (seconds).
        restarts: Workers a notebook may wear out before its remaining exercises are given up.
    """

    cell_seconds: float = 120.0
    call_seconds: float = 20.0
    notebook_seconds: float = 1200.0
    memory_bytes: int = 3 * 2**30
    files_bytes: int = 256 * 2**20
    processes: int = 256
    open_files: int = 256
    patience: float = 4.0
    grace_seconds: float = 3.0
    restarts: int = 40

    def as_dict(self) -> dict:
        """Return the limits as plain values."""
        return asdict(self)

"""The resource limits of one submission."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of one worker.

    Attributes:
        cell_seconds: CPU time for one cell (seconds).
        call_seconds: CPU time for one call of an answer (seconds).
        notebook_seconds: CPU time for everything a notebook needs (seconds).
        memory_bytes: Memory beyond that of the warm server, shared pages included (bytes).
        files_bytes: Disk space for files, in total and per file (bytes).
        processes: Maximum number of processes and threads.
        open_files: Maximum number of open files.
        patience: Wall-clock seconds per second of CPU time after which a worker that sleeps is
            stopped. The three times above are CPU time of the submission, so that nobody loses
            points on a busy machine.
        grace_seconds: Time between asking a worker to stop and killing it (seconds).
        restarts: How often a notebook's worker may be restarted; then grading of it stops.
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

"""Run a student's notebook where it can reach nothing: the sandbox and the way to talk to it."""

from helpers.grading.sandbox.server import (
    WARM,
    ForkServer,
    SandboxError,
    Worker,
    WorkerLost,
    missing,
)

__all__ = ["WARM", "ForkServer", "SandboxError", "Worker", "WorkerLost", "missing"]

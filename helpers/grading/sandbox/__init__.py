"""Run a student's notebook in an isolated sandbox, and communicate with it."""

from helpers.grading.sandbox.server import (
    WARM,
    ForkServer,
    SandboxError,
    Worker,
    WorkerLost,
    missing,
)

__all__ = ["WARM", "ForkServer", "SandboxError", "Worker", "WorkerLost", "missing"]

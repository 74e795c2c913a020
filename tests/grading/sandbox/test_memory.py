"""The watch counts shared pages, and CPU time only while it is used."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from helpers.grading.sandbox import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


def _watched(source: str, limit: int) -> tuple[subprocess.Popen, memory.Watch]:
    before = set(memory.descendants(os.getpid()))
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    return process, memory.Watch(os.getpid(), before, limit)


def _end(process: subprocess.Popen, watch: memory.Watch) -> None:
    watch.stop()
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


@pytest.mark.parametrize("flags", ["mmap.MAP_SHARED", "mmap.MAP_PRIVATE"])
def test_watch_ends_who_fills_memory_shared_or_not(flags):
    source = (
        f"import mmap, time\nroom = mmap.mmap(-1, 300 * 2**20, {flags} | mmap.MAP_ANONYMOUS)\n"
        "for place in range(0, len(room), 4096):\n    room[place] = 1\ntime.sleep(20)"
    )
    process, watch = _watched(source, 100 * 2**20)
    try:
        assert process.wait(20) == -9
        assert watch.exceeded
    finally:
        _end(process, watch)


def test_processor_seconds_leave_sleep_out_and_keep_ended_children():
    child = "[None for _ in range(20_000_000)]"
    source = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', '{child}'])\n"
        "print('ready', flush=True)\ntime.sleep(30)"
    )
    process, watch = _watched(source, 2**40)
    try:
        process.stdout.readline()
        used = watch.processor_seconds()
        assert used > 0.1
        time.sleep(0.5)
        assert watch.processor_seconds() < used + 0.3
    finally:
        _end(process, watch)

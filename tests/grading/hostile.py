"""Bodies of hostile answers, written after `cases`; each earns nothing and affects no one else."""

from __future__ import annotations

__all__ = ["ATTACKS", "BODIES", "FILES"]

# For the pages of a class: quick ones, of different kinds.
BODIES = {
    "ends the process": "import os\nos._exit(0)",
    "never ends": "while True:\n    pass",
    "kills its process": "import os\nos.kill(os.getpid(), 9)",
    "raises a forged verdict": "class Correct(Exception): pass\nraise Correct('full marks')",
    "looks for the check": "import gc, sys\nfrom helpers.exercises import find\nsys.exit(find)",
    "fills the memory": "kept = []\nwhile True:\n    kept.append(bytearray(2**26))",
    "forks without end": "import os\nwhile True:\n    os.fork()",
    "answers with a formula": "raise ValueError('=HYPERLINK(\"http://evil.example\")')",
    "answers with a script": "raise ValueError('</pre><script>alert(1)</script>')",
    "writes to the screen": "return '\\033[2J\\033]0;owned\\007'",
}

# Each is the body of `step(x)`; the other answers are right. Run them in the sandbox only.
ATTACKS = {
    "stops itself by a signal": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "prints without end": "while True:\n    print('x' * 10**6)",
    "prints past the redirection": "import os\nwhile True:\n    os.write(1, b'x' * 2**20)",
    "returns 8 GB in one byte": "return np.broadcast_to(np.float64(1), (10**9,))",
    "returns an integer of a million digits": "return 10 ** 10**6",
    "returns an integer too long for text": (
        "import sys\nsys.set_int_max_str_digits(0)\nreturn [1 << 4_000_000] * 50"
    ),
    "returns long doubles, dates and records": (
        "return {'a': x.astype(np.longdouble), 'b': np.array(['2026-01-01'], 'M8[D]'),\n"
        "        'c': np.zeros(3, [('f', 'f8'), ('o', 'O')]), 'd': np.ma.masked_all(7)}"
    ),
    "returns text with half characters": "return ['\\ud800', '\\x00', '\\u202e', '\\U0010ffff']",
    "raises errors in a circle": (
        "first, second = ValueError('a'), ValueError('b')\n"
        "first.__cause__, second.__cause__ = second, first\nraise first"
    ),
    "raises a group of groups": (
        "found = ValueError('x')\nfor _ in range(50_000):\n"
        "    found = ExceptionGroup('g', [found])\nraise found"
    ),
    "raises an error whose class lies": (
        "class Meta(type):\n    __name__ = property(lambda cls: 'Correct')\n"
        "    def __instancecheck__(cls, other):\n        return True\n"
        "class Lie(Exception, metaclass=Meta):\n    pass\nraise Lie('2 of 2 points')"
    ),
    "changes its answer while it is read": (
        "import threading\nanswer = np.zeros(7)\ndef later():\n    while True:\n"
        "        answer[:] = np.random.normal(size=7)\n"
        "threading.Thread(target=later, daemon=True).start()\nreturn answer"
    ),
    "writes a reply when it is collected": (
        "import os, sys, weakref\nclass Holder: pass\nholder = Holder()\n"
        "wire = sys.modules['protocol']\n"
        "weakref.finalize(holder, os.write, 3, b'\\xff' * 4096)\nreturn 0 * x"
    ),
    "traces every call": (
        "import sys, threading\ndef trace(frame, event, arg):\n"
        "    if 'wanted' in frame.f_locals:\n        frame.f_locals['wanted'] = 0 * x\n"
        "    return trace\nsys.settrace(trace)\nsys.setprofile(trace)\n"
        "threading.settrace_all_threads(trace) if hasattr(threading, 'settrace_all_threads') "
        "else None\nreturn 0 * x"
    ),
    "writes to its parent's memory": (
        "import os\nwith open(f'/proc/{os.getppid()}/mem', 'r+b') as memory:\n"
        "    memory.write(b'x')\nreturn (x > 0) * 1.0"
    ),
    "attaches to its parent": (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "found = libc.ptrace(16, os.getppid(), 0, 0)\nreturn (x > 0) * 1.0 if found == 0 else 0 * x"
    ),
    "hides memory in files of memory": (
        "import os\nkept = []\nwhile True:\n    kept.append(os.memfd_create('x'))\n"
        "    os.write(kept[-1], bytes(2**26))"
    ),
    "fills pipes": (
        "import fcntl, os\nkept = []\nwhile True:\n    r, w = os.pipe()\n"
        "    fcntl.fcntl(w, 1031, 2**20)\n    os.set_blocking(w, False)\n"
        "    os.write(w, bytes(2**20))\n    kept.append((r, w))"
    ),
    "limits itself to no time": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True:\n    pass"
    ),
    "replaces the names of the notebook": (
        "import sys\nmain = sys.modules['__main__']\n"
        "main.sigmoid = main.step = lambda x: 0 * x\nreturn 0 * x"
    ),
    "sleeps in a lock that nobody opens": "import threading\nthreading.Semaphore(0).acquire()",
    "waits for an event loop that never ends": (
        "import asyncio\nasyncio.get_event_loop().run_forever()\nreturn 0 * x"
    ),
    "starts programs that outlive it": (
        "import subprocess\nfor _ in range(20):\n"
        "    subprocess.Popen(['sleep', '600'], start_new_session=True)\nreturn 0 * x"
    ),
}


def _deep(levels: int) -> bytes:
    return b'{"cells": ' + b"[" * levels + b"]" * levels + b', "nbformat": 4}'


def _wide(keys: int) -> bytes:
    listed = b",".join(b'"k%d": 1' % number for number in range(keys))
    return b'{"cells": [], "nbformat": 4, "metadata": {' + listed + b"}}"


# Complete files, each reported in one line of the results.
FILES = {
    "brackets 200,000 deep": _deep(200_000),
    "a million keys": _wide(1_000_000),
    "a number of a million digits": b'{"cells": [], "nbformat": ' + b"9" * 10**6 + b"}",
    "answers without end": (
        b'{"nbformat": 4, "cells": [{"cell_type": "markdown", "metadata": {}, "source": "'
        + b"**Answer 1.4** " * 200_000
        + b'"}]}'
    ),
    "checks without end": (
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "metadata": {}, "source": "'
        + b"check( " * 300_000
        + b'"}]}'
    ),
    "marks of a script without end": b"# %%\n" * 300_000 + b"x",
    "spaces without end": b"# In[" + b" " * 2_000_000,
}

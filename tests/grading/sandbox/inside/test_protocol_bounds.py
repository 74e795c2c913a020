"""Whatever a message contains, the process that reads it stays small and continues."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from helpers.grading.sandbox.inside import protocol

EQUAL_HASH = 2**61 - 1


def _message(value, buffers=(), data=b"") -> bytes:
    header = value if isinstance(value, bytes) else json.dumps(
        {"value": value, "buffers": list(buffers)}
    ).encode()  # fmt: skip
    return struct.pack("<IQ", len(header), len(data)) + header + data


def _raw(text: str) -> bytes:
    return _message(b'{"value":' + text.encode() + b',"buffers":[]}')


@pytest.mark.parametrize("shape", [(2**40, 0), (0, 2**40), (2**20, 0, 2**20), (2**62,) * 3 + (0,)])
def test_shapes_are_bounded_where_the_product_is_zero(shape):
    array = {"t": "a", "dtype": "<f8", "shape": list(shape), "b": 0}
    with pytest.raises(protocol.WireError, match="too large"):
        protocol.decode(_message(array, [0]))
    with pytest.raises(protocol.WireError, match="too large"):
        protocol.decode(_message({"t": "o", "shape": list(shape), "v": []}))


def test_encode_refuses_an_empty_array_of_giant_shape():
    with pytest.raises(protocol.WireError, match="too large"):
        protocol.encode(np.empty((2**40, 0)))


def test_each_buffer_is_used_once():
    array = {"t": "a", "dtype": "<f8", "shape": [8], "b": 0}
    with pytest.raises(protocol.WireError, match="those of another array"):
        protocol.decode(_message([array, array], [64], bytes(64)))


def test_arrays_can_be_written_to_and_are_aligned():
    first, second = protocol.decode(protocol.encode([np.ones(3, np.int8), np.ones(4)]))
    first[0], second[0] = 2, 5.0
    assert second.flags.aligned and second.tolist() == [5, 1, 1, 1]


def _colliding(count: int) -> list:
    return [{"t": "i", "v": hex(number * EQUAL_HASH)} for number in range(1, count)]


@pytest.mark.parametrize("where", ["keys", "category", "index", "columns"])
def test_equal_hashes_end_in_time(where, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_DECODE_SECONDS", 1.0)
    keys = _colliding(40_000)
    index = {"dtype": "int64", "v": [1]}
    value = {
        "keys": {"t": "d", "k": keys, "v": [None] * len(keys)},
        "category": {
            "t": "s", "name": None, "index": {"dtype": "int64", "v": list(range(len(keys)))},
            "data": {"dtype": "category", "v": keys},
        },
        "index": {
            "t": "s", "name": None, "index": {"dtype": "object", "v": keys},
            "data": {"dtype": "int64", "v": list(range(len(keys)))},
        },
        "columns": {
            "t": "df", "columns": {"dtype": "object", "v": keys[:3]}, "index": index,
            "data": [index, index, index],
        },
    }[where]  # fmt: skip
    began = time.thread_time()
    with pytest.raises(protocol.WireError):
        protocol.decode(_message(value))
    assert time.thread_time() - began < 10


def test_receive_of_an_endless_trickle_gives_up():
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def trickle() -> None:
        theirs.sendall(struct.pack("<IQ", 1000, 0))
        while not stop.wait(0.05):
            theirs.sendall(b" ")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with pytest.raises(protocol.Late):
            protocol.receive(ours, deadline=time.monotonic() + 0.5)
    finally:
        stop.set()
        thread.join()
        ours.close()
        theirs.close()


_WIDE = {
    "lists": '"[" + "[]," * 1_300_000 + "[]]"',
    "dictionaries": '"[" + \'{"":0},\' * 500_000 + "0]"',
    "numbers": '"[" + "1e9," * 1_000_000 + "0]"',
    "texts": '"[" + \'"ab",\' * 800_000 + "0]"',
    "tuples": '"[" + \'{"t":"t","v":[]},\' * 240_000 + "0]"',
    "arrays of objects": '"[" + \'{"t":"o","shape":[0],"v":[]},\' * 140_000 + "0]"',
    "tables": (
        '"[" + \'{"t":"s","name":0,"index":{"dtype":"int64","v":[]},'
        '"data":{"dtype":"int64","v":[]}},\' * 50_000 + "0]"'
    ),
    "one deep list": '"[" * 2_000_000 + "]" * 2_000_000',
    "one number": '"9" * 4_000_000',
}
_MEASURE = """
import resource, struct, sys
from helpers.grading.sandbox.inside import protocol
import pandas, numpy
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
header = ('{{"value":' + {text} + ',"buffers":[]}}').encode()
try:
    protocol.decode(struct.pack("<IQ", len(header), 0) + header)
except protocol.WireError as error:
    pass
print(peak() - before)
"""


@pytest.mark.parametrize("name", _WIDE)
def test_wide_and_deep_messages_take_little_memory(name):
    """Measure a process that reads a message: MB above its start, including the message."""
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(text=_WIDE[name])], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 200


def test_largest_message_of_arrays_takes_little_more_than_its_size():
    source = (
        "import resource, socket, threading, numpy as np\n"
        "from helpers.grading.sandbox.inside import protocol\n"
        "def peak():\n    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "import json, struct\n"
        "ours, theirs = socket.socketpair()\n"
        "size = protocol.MAX_BUFFERS // 8\n"
        "arrays = [{'t': 'a', 'dtype': '<f8', 'shape': [size // 8], 'b': k} for k in range(8)]\n"
        "header = json.dumps({'value': arrays, 'buffers': [size] * 8}).encode()\n"
        "part = bytes(size)\n"
        "def send():\n"
        "    theirs.sendall(struct.pack('<IQ', len(header), 8 * size) + header)\n"
        "    for _ in range(8):\n        theirs.sendall(part)\n"
        "before = peak()\nthreading.Thread(target=send).start()\n"
        "found = protocol.receive(ours)\nassert len(found) == 8\nprint(peak() - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 2.2 * protocol.MAX_BUFFERS / 2**20

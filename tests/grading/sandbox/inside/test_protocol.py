"""Values are transmitted unchanged; those that are too large, too deep or invalid are refused."""

from __future__ import annotations

import json
import math
import socket
import struct
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.answers import Code
from helpers.grading.sandbox.inside import protocol

_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_plain)
@settings(max_examples=200, deadline=None)
def test_plain_values_come_back_the_same(value):
    assert protocol.decode(protocol.encode(value)) == value


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "i8", "u2", "b1", "c16", ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_arrays_come_back_with_shape_and_values(dtype, shape):
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    back = protocol.decode(protocol.encode(array))
    assert back.shape == shape and back.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(back, array)


def test_odd_floats_texts_and_objects_cross():
    assert math.isnan(protocol.decode(protocol.encode(math.nan)))
    assert protocol.decode(protocol.encode((math.inf, -math.inf, 1 + 2j, ...))) == (
        math.inf, -math.inf, 1 + 2j, ...,
    )  # fmt: skip
    assert protocol.decode(protocol.encode(np.array(["a", "bc"]))).tolist() == ["a", "bc"]
    assert protocol.decode(protocol.encode(np.array([1, None], dtype=object))).tolist() == [1, None]
    assert protocol.decode(protocol.encode(Code("lambda v: a", {"a": 3.0}))) == Code(
        "lambda v: a", {"a": 3.0}
    )
    assert protocol.decode(protocol.encode({1: "a", (2, 3): None})) == {1: "a", (2, 3): None}


def test_tables_cross_as_columns():
    table = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [0.5, np.nan, 2.0],
            "s": ["a", None, "한"],
            "c": pd.Categorical(["u", "v", "u"]),
            "b": [True, False, True],
            "i": pd.array([1, None, 3], dtype="Int64"),
        },
        index=[10, 20, 30],
    )
    back = protocol.decode(protocol.encode(table))
    pd.testing.assert_frame_equal(back, table)
    series = protocol.decode(protocol.encode(table["x"]))
    pd.testing.assert_series_equal(series, table["x"])
    empty = protocol.decode(protocol.encode(table.iloc[:0]))
    assert list(empty.columns) == list(table.columns) and len(empty) == 0


@pytest.mark.parametrize(
    "value",
    [[[]] * (protocol.MAX_ITEMS + 1), "x" * (protocol.MAX_HEADER + 1), 1 << 5000, object(), print],
    ids=["parts", "text", "integer", "object", "function"],
)
def test_encode_refuses_what_is_too_large_or_not_plain(value):
    with pytest.raises(protocol.WireError):
        protocol.encode(value)


def test_encode_refuses_deep_and_endless_values():
    deep: list = []
    own: list = []
    own.append(own)
    for _ in range(1000):
        deep = [deep]
    for value in (deep, own):
        with pytest.raises(protocol.WireError, match="deep"):
            protocol.encode(value)


def _message(value, buffers=(), data=b""):
    header = json.dumps({"value": value, "buffers": list(buffers)}).encode()
    return struct.pack("<IQ", len(header), len(data)) + header + data


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00" * 11,
        struct.pack("<IQ", 5, 0) + b"{}",
        struct.pack("<IQ", 2, 0) + b"[]",
        _message({"t": "value"}),
        _message({"t": "__init__"}),
        _message({"t": "a", "dtype": "|O", "shape": [1], "b": 0}, [8], bytes(8)),
        _message({"t": "a", "dtype": "<f8", "shape": [1000], "b": 0}, [8], bytes(8)),
        _message({"t": "a", "dtype": "<f8", "shape": [-1], "b": 0}, [8], bytes(8)),
        _message({"t": "a", "dtype": "<f8", "shape": [1] * 40, "b": 0}, [8], bytes(8)),
        _message({"t": "a", "dtype": "<f8", "shape": [1], "b": 7}, [8], bytes(8)),
        _message({"t": "a", "dtype": "V8", "shape": [1], "b": 0}, [8], bytes(8)),
        _message({"t": "o", "shape": [10**9], "v": []}),
        _message({"t": "d", "k": [[1]], "v": [1]}),
        _message({"t": "d", "k": [1], "v": []}),
        _message({"t": "df", "columns": {"dtype": "object", "v": []}, "index": 3, "data": []}),
        _message({"t": "s", "name": "x", "index": {"dtype": "os.system", "v": []}, "data": []}),
        _message({"t": "object", "h": 1}),
        _message({"t": "f", "v": "__import__('os')"}),
        _message(1, [-5]),
        _message(1, [5]),
        struct.pack("<IQ", 200_000, 0) + b"[" * 200_000,
    ],
)
def test_decode_refuses_what_is_not_as_it_says(message):
    with pytest.raises(protocol.WireError):
        protocol.decode(message)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_decode_of_noise_only_ever_refuses(noise):
    try:
        protocol.decode(struct.pack("<IQ", len(noise), 0) + noise)
    except protocol.WireError:
        pass


def test_receive_gives_up_in_time_and_refuses_giants():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(protocol.Late):
            protocol.receive(ours, deadline=time.monotonic() + 0.05)
        theirs.sendall(struct.pack("<IQ", 10, 2**60))
        with pytest.raises(protocol.WireError, match="too large"):
            protocol.receive(ours, deadline=time.monotonic() + 1)
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(protocol.Closed):
            protocol.receive(ours)

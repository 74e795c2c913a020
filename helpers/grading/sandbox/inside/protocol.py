"""Serialize values between the grader and an untrusted process, without pickle.

A message is a length, a JSON header and raw array buffers. The decoder trusts nothing in it: sizes,
shapes, depth, counts, dtypes and decoding time are limited before anything is allocated, so that
decoding any message takes less than about 200 MB.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from helpers.answers import Code, ModelView

__all__ = [
    "Closed",
    "Late",
    "MAX_ARRAYS",
    "MAX_BUFFERS",
    "MAX_COLUMNS",
    "MAX_DECODE_SECONDS",
    "MAX_DEPTH",
    "MAX_DIMENSIONS",
    "MAX_ELEMENTS",
    "MAX_HEADER",
    "MAX_ITEMS",
    "MAX_OBJECTS",
    "WireError",
    "decode",
    "encode",
    "receive",
    "send",
]

MAX_HEADER = 4 * 2**20
MAX_BUFFERS = 64 * 2**20
MAX_ELEMENTS = 8 * 2**20
MAX_DEPTH = 48
MAX_ITEMS = 400_000
MAX_OBJECTS = 300_000
MAX_ARRAYS = 50_000
MAX_COLUMNS = 5_000
MAX_DIMENSIONS = 16
MAX_DECODE_SECONDS = 5.0
_POLL_SECONDS = 0.2
_LENGTHS = struct.Struct("<IQ")
_KINDS = "biufc"
_SMALL_INT = 2**53
_COLUMN_TYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 object str "
    "string category boolean Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64 "
    "datetime64[ns] datetime64[us] datetime64[ms] datetime64[s]"
).split()


class WireError(Exception):
    """A message violates the protocol: too large, too deep, or inconsistent."""


class Closed(WireError):
    """The other end closed the connection."""


class Late(WireError):
    """The other end did not answer in time."""


def encode(value: Any, keep: Callable[[Any], int] | None = None) -> bytes:
    """Return one message that contains `value`.

    Args:
        value: Plain values, arrays, pandas tables, `Code`; also `Opaque`, `ModelView` and what
            `decode` returned for them.
        keep: Called with an object that cannot be sent; returns the number it is kept under.

    Raises:
        WireError: If the value is too large, too deep or of a type that cannot be sent.

    >>> decode(encode({"rate": 0.5, "shape": (2, 3)}))
    {'rate': 0.5, 'shape': (2, 3)}
    """
    encoder = _Encoder(keep)
    header = json.dumps(
        {"value": encoder.value(value, 0), "buffers": [len(b) for b in encoder.buffers]},
        separators=(",", ":"),
    ).encode("ascii")
    total = sum(len(buffer) for buffer in encoder.buffers)
    if len(header) > MAX_HEADER:
        raise WireError(f"The value is too large: its description takes {len(header):,} bytes.")
    return b"".join((_LENGTHS.pack(len(header), total), header, *encoder.buffers))


def decode(message: bytes, found: Callable[[str, int, str], Any] | None = None) -> Any:
    """Return the value of an untrusted message.

    Args:
        message: What `encode` returned.
        found: Called with "object" or "model", a number and a class name for each kept object;
            returns the local object that represents it.

    Raises:
        WireError: If anything about the message is wrong.
    """
    if len(message) < _LENGTHS.size:
        raise WireError("The message is shorter than its own lengths.")
    header_size, total = _LENGTHS.unpack_from(message)
    body = memoryview(message)[_LENGTHS.size :]
    if len(body) != header_size + total:
        raise WireError("The message is not as long as it says.")
    _check_lengths(header_size, total)
    data = body[header_size:]
    taken = 0

    def take(size: int) -> bytearray:
        nonlocal taken
        taken += size
        return bytearray(data[taken - size : taken])

    return _decode(bytes(body[:header_size]), total, take, found)


def send(connection: socket.socket, value: Any, keep: Callable[[Any], int] | None = None) -> None:
    """Send one value."""
    connection.sendall(encode(value, keep))


def receive(
    connection: socket.socket,
    found: Callable[[str, int, str], Any] | None = None,
    deadline: float | Callable[[], bool] | None = None,
) -> Any:
    """Return the next value from a connection.

    Args:
        connection: A stream socket.
        found: As for `decode`.
        deadline: `time.monotonic()` at which to give up, or a function that returns whether
            to; None waits forever.

    Raises:
        Closed: If the other end is gone.
        Late: If the whole message has not arrived by the deadline.
        WireError: If the message violates the protocol.
    """
    late = (lambda: time.monotonic() >= deadline) if isinstance(deadline, float | int) else deadline
    header_size, total = _LENGTHS.unpack(_read(connection, _LENGTHS.size, late))
    _check_lengths(header_size, total)
    header = bytes(_read(connection, header_size, late))
    return _decode(header, total, lambda size: _read(connection, size, late), found)


def _check_lengths(header_size: int, total: int) -> None:
    if header_size > MAX_HEADER or total > MAX_BUFFERS:
        raise WireError(f"A message of {header_size + total:,} bytes is too large.")


def _read(connection: socket.socket, size: int, late: Callable[[], bool] | None) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    asked = time.monotonic()
    if late is not None and late():
        raise Late("No answer in time.")
    while len(rest):
        if late is not None:
            connection.settimeout(_POLL_SECONDS)
            if time.monotonic() - asked >= _POLL_SECONDS:
                asked = time.monotonic()
                if late():
                    raise Late("No answer in time.")
        try:
            count = connection.recv_into(rest[: 2**20])
        except TimeoutError:
            continue
        except OSError as error:
            raise Closed(f"The connection broke: {error}.") from error
        if not count:
            raise Closed("The other end closed the connection.")
        rest = rest[count:]
    return data


class _Encoder:
    def __init__(self, keep: Callable[[Any], int] | None):
        self.keep = keep
        self.buffers: list[bytes] = []
        self.items = 0
        self.bytes = 0

    def value(self, value: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH:
            raise WireError(f"The value is nested more than {MAX_DEPTH} levels deep.")
        if self.items > MAX_ITEMS:
            raise WireError(f"The value has more than {MAX_ITEMS:,} parts; use an array.")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, int):
            return self._int(int(value))
        if isinstance(value, float):
            value = float(value)
            return value if math.isfinite(value) else {"t": "f", "v": repr(value)}
        if isinstance(value, str):
            return str(value)
        if isinstance(value, list):
            return [self.value(item, depth + 1) for item in value]
        if isinstance(value, tuple):
            return {"t": "t", "v": [self.value(item, depth + 1) for item in value]}
        if isinstance(value, Mapping):
            return {
                "t": "d",
                "k": [self.value(key, depth + 1) for key in value],
                "v": [self.value(item, depth + 1) for item in value.values()],
            }
        if isinstance(value, np.ndarray):
            return self._array(value, depth)
        return self._other(value, depth)

    def _int(self, value: int) -> Any:
        if abs(value) <= _SMALL_INT:
            return value
        if value.bit_length() > 4096:
            raise WireError("An integer of more than 4096 bits cannot be passed.")
        return {"t": "i", "v": hex(value)}

    def _array(self, array: np.ndarray, depth: int) -> dict:
        array = np.asarray(array)
        if array.dtype.kind not in _KINDS or array.dtype.itemsize > 16:
            _check_shape(array.shape)
            items = array.astype(str) if array.dtype.kind in "Mm" else array
            listed = [self.value(item, depth + 1) for item in items.ravel().tolist()]
            return {"t": "o", "shape": list(array.shape), "v": listed}
        _check_shape(array.shape)
        array = np.ascontiguousarray(array).reshape(array.shape)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        self.bytes += array.nbytes
        if self.bytes > MAX_BUFFERS:
            raise WireError(f"More than {MAX_BUFFERS // 2**20} MiB of arrays cannot be passed.")
        if len(self.buffers) >= MAX_ARRAYS:
            raise WireError(f"More than {MAX_ARRAYS:,} arrays cannot be passed; use one array.")
        self.buffers.append(array.tobytes())
        index = len(self.buffers) - 1
        return {"t": "a", "dtype": array.dtype.str, "shape": list(array.shape), "b": index}

    def _other(self, value: Any, depth: int) -> dict:
        if value is Ellipsis:
            return {"t": "e"}
        if isinstance(value, complex):
            return {"t": "c", "v": [repr(value.real), repr(value.imag)]}
        if isinstance(value, Code):
            names = self.value(dict(value.names), depth + 1)
            return {"t": "code", "source": value.source, "names": names}
        if hasattr(value, "wire_handle"):
            return {"t": "kept", "h": value.wire_handle}
        if type(value).__module__.partition(".")[0] == "pandas":
            return self._table(value, depth)
        if self.keep is None:
            raise WireError(f"A {type(value).__name__} cannot be passed; use plain values.")
        kind = "model" if isinstance(value, ModelView) else "object"
        inner = getattr(value, "_value", getattr(value, "_model", value))
        return {"t": kind, "h": self.keep(value), "name": type(inner).__name__[:60]}

    def _table(self, table: Any, depth: int) -> dict:
        import pandas as pd

        if isinstance(table, pd.Series):
            return {
                "t": "s",
                "name": self.value(table.name, depth + 1),
                "index": self._column(table.index, depth + 1),
                "data": self._column(table, depth + 1),
            }
        if isinstance(table, pd.DataFrame):
            columns = [table.iloc[:, place] for place in range(table.shape[1])]
            return {
                "t": "df",
                "columns": self._column(table.columns, depth + 1),
                "index": self._column(table.index, depth + 1),
                "data": [self._column(column, depth + 1) for column in columns],
            }
        if isinstance(table, pd.Index):
            return self._column(table, depth + 1)["v"]
        if table is pd.NA or table is pd.NaT:
            return {"t": "f", "v": "nan"}
        if isinstance(table, pd.Timestamp | pd.Timedelta):
            return str(table)
        raise WireError(
            f"A pandas {type(table).__name__} cannot be passed; use a table or an array."
        )

    def _column(self, column: Any, depth: int) -> dict:
        name = str(column.dtype)
        if name not in _COLUMN_TYPES:
            name = "object"
        if column.dtype.kind in _KINDS and isinstance(column.dtype, np.dtype):
            values = self._array(column.to_numpy(), depth)
        else:
            missing = column.isna()
            plain = column.astype(object).tolist()
            if column.dtype.kind == "M":
                plain = [str(item) for item in plain]
            values = self.value(
                [None if gone else item for item, gone in zip(plain, missing, strict=True)], depth
            )
        return {"dtype": name, "v": values}


def _check_shape(shape: tuple[int, ...]) -> None:
    """Check the size of an array, with its empty axes counted as 1.

    Raises:
        WireError: If it has too many elements or axes.
    """
    if len(shape) > MAX_DIMENSIONS or math.prod(max(size, 1) for size in shape) > MAX_ELEMENTS:
        shown = ", ".join(map(str, shape[:MAX_DIMENSIONS]))[:100]
        raise WireError(
            f"An array of shape ({shown}) is too large; at most {MAX_ELEMENTS:,} elements fit."
        )


def _decode(
    header: bytes, total: int, take: Callable[[int], bytearray], found: Callable | None
) -> Any:
    if header.count(b"{") > MAX_OBJECTS or header.count(b"[") + header.count(b",") > 4 * MAX_ITEMS:
        raise WireError("The value has too many parts.")
    try:
        content = json.loads(header)
        sizes = content["buffers"]
        if len(sizes) > MAX_ARRAYS or any(type(n) is not int or n < 0 for n in sizes):
            raise WireError("The sizes of the arrays are wrong.")
        if sum(sizes) != total:
            raise WireError("The arrays are not as long as they say.")
        del header
        return _Decoder([take(size) for size in sizes], found).value(content["value"], 0)
    except WireError:
        raise
    except RecursionError:
        raise WireError("The message is nested too deeply.") from None
    except Exception as error:
        raise WireError(f"The message cannot be read: {type(error).__name__}.") from error


class _Decoder:
    """Turns the parts of a header into values.

    Args:
        buffers: The bytes of each array; each is used once.
        found: As for `decode`.
    """

    def __init__(self, buffers: list[bytearray], found: Callable | None):
        self.buffers: list[bytearray | None] = list(buffers)
        self.found = found
        self.items = self.columns = 0
        self.ends = time.thread_time() + MAX_DECODE_SECONDS

    def value(self, item: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise WireError("The value is too deep or has too many parts.")
        if self.items % 1024 == 0:
            self._check_time()
        if item is None or isinstance(item, bool | int | float | str):
            return item
        if isinstance(item, list):
            return [self.value(part, depth + 1) for part in item]
        read = getattr(self, f"_read_{item['t']}")
        return read(item, depth + 1)

    def _check_time(self) -> None:
        if time.thread_time() > self.ends:
            raise WireError("The value takes too long to read.")

    def _read_f(self, item: dict, depth: int) -> float:
        return float(str(item["v"]))

    def _read_i(self, item: dict, depth: int) -> int:
        return int(str(item["v"])[:1100], 16)

    def _read_c(self, item: dict, depth: int) -> complex:
        real, imaginary = item["v"]
        return complex(float(str(real)), float(str(imaginary)))

    def _read_e(self, item: dict, depth: int) -> Any:
        return Ellipsis

    def _read_t(self, item: dict, depth: int) -> tuple:
        return tuple(self._list(item["v"], depth))

    def _read_d(self, item: dict, depth: int) -> dict:
        keys, values = self._list(item["k"], depth), self._list(item["v"], depth)
        made: dict = {}
        for place, (key, value) in enumerate(zip(keys, values, strict=True)):
            if place % 64 == 0:  # keys may be chosen to collide
                self._check_time()
            made[key] = value
        return made

    def _read_a(self, item: dict, depth: int) -> np.ndarray:
        dtype = np.dtype(str(item["dtype"]))
        if dtype.kind not in _KINDS or dtype.itemsize > 16 or dtype.names:
            raise WireError(f"Arrays of {dtype} cannot be passed.")
        index = item["b"]
        buffer = self.buffers[index] if type(index) is int and index >= 0 else None
        if buffer is None:
            raise WireError("An array has no bytes, or those of another array.")
        self.buffers[index] = None
        shape = self._shape(item["shape"])
        if math.prod(shape) * dtype.itemsize != len(buffer):
            raise WireError("An array is not as large as its shape says.")
        if dtype.kind == "b":
            return (np.frombuffer(buffer, np.uint8) != 0).reshape(shape)
        array = np.frombuffer(buffer, dtype).reshape(shape)
        return array.astype(dtype.newbyteorder("="), copy=False)

    def _read_o(self, item: dict, depth: int) -> np.ndarray:
        values = self._list(item["v"], depth)
        shape = self._shape(item["shape"])
        if math.prod(shape) != len(values):
            raise WireError("An array is not as large as its shape says.")
        array = np.empty(len(values), dtype=object)
        for place, value in enumerate(values):
            array[place] = value
        texts = bool(values) and all(isinstance(value, str) for value in values)
        small = texts and max(map(len, values)) * len(values) <= MAX_HEADER
        return (array.astype(str) if small else array).reshape(shape)

    def _read_code(self, item: dict, depth: int) -> Code:
        return Code(str(item["source"]), self.value(item["names"], depth))

    def _read_kept(self, item: dict, depth: int) -> Any:
        return self._kept("kept", item)

    def _read_object(self, item: dict, depth: int) -> Any:
        return self._kept("object", item)

    def _read_model(self, item: dict, depth: int) -> Any:
        return self._kept("model", item)

    def _read_s(self, item: dict, depth: int) -> Any:
        import pandas as pd

        index, name = self._labels(item["index"], depth), self.value(item["name"], depth)
        return pd.Series(self._column(item["data"], depth).array, index=index, name=name)

    def _read_df(self, item: dict, depth: int) -> Any:
        import pandas as pd

        index = self._labels(item["index"], depth)
        columns = [self._column(column, depth) for column in item["data"]]
        if any(len(column) != len(index) for column in columns):
            raise WireError("The columns of a table differ in length.")
        table = pd.DataFrame({place: column.array for place, column in enumerate(columns)})
        table.index = index
        table.columns = self._labels(item["columns"], depth)
        return table

    def _column(self, item: dict, depth: int) -> Any:
        import pandas as pd

        dtype = str(item["dtype"])
        self.columns += 1
        if dtype not in _COLUMN_TYPES or self.columns > MAX_COLUMNS:
            raise WireError(f"Columns of {dtype[:40]}, or so many, cannot be passed.")
        values = self.value(item["v"], depth)
        if dtype in ("category", "string") and not all(_is_label(value) for value in values):
            raise WireError("A column has values that cannot be passed.")
        self._check_time()
        return pd.Series(values, dtype=dtype)

    def _labels(self, item: dict, depth: int) -> Any:
        """Return a column of labels, which must be plain because an index hashes them."""
        import pandas as pd

        column = self._column(item, depth)
        if column.dtype == object and not all(_is_label(value) for value in column):
            raise WireError("A table has labels that cannot be passed.")
        return pd.Index(column)

    def _kept(self, kind: str, item: dict) -> Any:
        if self.found is None or not isinstance(item["h"], int):
            raise WireError("An object was sent where only plain values are allowed.")
        return self.found(kind, item["h"], str(item.get("name", ""))[:60])

    def _list(self, items: Any, depth: int) -> list:
        if not isinstance(items, list):
            raise WireError("A list was expected.")
        return [self.value(item, depth) for item in items]

    def _shape(self, shape: Any) -> tuple[int, ...]:
        if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
            raise WireError("The shape of an array is wrong.")
        _check_shape(tuple(shape))
        return tuple(shape)


def _is_label(value: Any) -> bool:
    """Return whether a value is plain enough for fast hashing in a large index."""
    if isinstance(value, tuple):
        return len(value) <= 8 and all(map(_is_label, value))
    if type(value) is int:
        return abs(value) < 2**60
    return value is None or type(value) in (str, bool, float)

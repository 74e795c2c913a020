"""Values as bytes and back, between the grader and a process it does not trust: never pickle.

A message is a length, a JSON header and raw array buffers. Whoever decodes trusts nothing in it:
sizes, depth, counts and dtypes are bounded before anything is allocated.
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

MAX_HEADER = 16 * 2**20
MAX_BUFFERS = 256 * 2**20
MAX_DEPTH = 48
MAX_ITEMS = 400_000
MAX_DIMENSIONS = 16
_LENGTHS = struct.Struct("<IQ")
_KINDS = "biufc"
_SMALL_INT = 2**53
_COLUMN_TYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 object str "
    "string category boolean Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64 "
    "datetime64[ns] datetime64[us] datetime64[ms] datetime64[s]"
).split()


class WireError(Exception):
    """A message breaks the rules of the wire: too large, too deep, or not what it claims to be."""


class Closed(WireError):
    """The other end closed the connection."""


class Late(WireError):
    """The other end did not answer in time."""


def encode(value: Any, keep: Callable[[Any], int] | None = None) -> bytes:
    """Return one message that holds `value`.

    Args:
        value: Plain values, arrays, pandas tables, `Code`; also `Opaque`, `ModelView` and what
            `decode` made of them.
        keep: Called with an object that cannot cross; returns the number it is kept under.

    Raises:
        WireError: If the value is too large, too deep or of a kind that does not cross.

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
    """Return the value of a message, which may come from anyone.

    Args:
        message: What `encode` returned.
        found: Called with "object" or "model", a number and a class name for each kept object;
            returns what stands for it here.

    Raises:
        WireError: If anything about the message is wrong.
    """
    if len(message) < _LENGTHS.size:
        raise WireError("The message is shorter than its own lengths.")
    header_size, total = _LENGTHS.unpack_from(message)
    body = memoryview(message)[_LENGTHS.size :]
    if len(body) != header_size + total:
        raise WireError("The message is not as long as it says.")
    return _decode(bytes(body[:header_size]), body[header_size:], found)


def send(connection: socket.socket, value: Any, keep: Callable[[Any], int] | None = None) -> None:
    """Send one value."""
    connection.sendall(encode(value, keep))


def receive(
    connection: socket.socket,
    found: Callable[[str, int, str], Any] | None = None,
    deadline: float | None = None,
) -> Any:
    """Return the next value from a connection.

    Args:
        connection: A stream socket.
        found: As for `decode`.
        deadline: `time.monotonic()` at which to give up; None waits for ever.

    Raises:
        Closed: If the other end is gone.
        Late: If the whole message is not here by the deadline.
        WireError: If the message breaks the rules.
    """
    header_size, total = _LENGTHS.unpack(_read(connection, _LENGTHS.size, deadline))
    if header_size > MAX_HEADER or total > MAX_BUFFERS:
        raise WireError(f"A message of {header_size + total:,} bytes is too large.")
    header = _read(connection, header_size, deadline)
    return _decode(bytes(header), memoryview(_read(connection, total, deadline)), found)


def _read(connection: socket.socket, size: int, deadline: float | None) -> bytearray:
    data = bytearray()
    while len(data) < size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Late("No answer in time.")
            connection.settimeout(left)
        try:
            part = connection.recv(min(size - len(data), 2**20))
        except TimeoutError:
            raise Late("No answer in time.") from None
        except OSError as error:
            raise Closed(f"The connection broke: {error}.") from error
        if not part:
            raise Closed("The other end closed the connection.")
        data += part
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
            raise WireError(f"The value is nested more than {MAX_DEPTH} deep.")
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
            raise WireError("An integer of more than 4096 bits does not cross.")
        return {"t": "i", "v": hex(value)}

    def _array(self, array: np.ndarray, depth: int) -> dict:
        array = np.asarray(array)
        if array.dtype.kind not in _KINDS or array.dtype.itemsize > 16:
            items = array.astype(str) if array.dtype.kind in "Mm" else array
            listed = [self.value(item, depth + 1) for item in items.ravel().tolist()]
            return {"t": "o", "shape": list(array.shape), "v": listed}
        array = np.ascontiguousarray(array).reshape(array.shape)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        self.bytes += array.nbytes
        if self.bytes > MAX_BUFFERS:
            raise WireError(f"More than {MAX_BUFFERS // 2**20} MiB of arrays do not cross.")
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
            raise WireError(f"A {type(value).__name__} does not cross; use plain values.")
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
        raise WireError(f"A pandas {type(table).__name__} does not cross; use a table or an array.")

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


def _decode(header: bytes, buffers: memoryview, found: Callable | None) -> Any:
    try:
        content = json.loads(header)
        return _Decoder(content["buffers"], buffers, found).value(content["value"], 0)
    except WireError:
        raise
    except RecursionError:
        raise WireError("The message is nested too deep.") from None
    except Exception as error:
        raise WireError(f"The message cannot be read: {type(error).__name__}.") from error


class _Decoder:
    def __init__(self, sizes: list[int], data: memoryview, found: Callable | None):
        if len(sizes) > MAX_ITEMS or any(not isinstance(n, int) or n < 0 for n in sizes):
            raise WireError("The sizes of the arrays are wrong.")
        if sum(sizes) != len(data):
            raise WireError("The arrays are not as long as they say.")
        self.found = found
        self.items = 0
        self.buffers = []
        start = 0
        for size in sizes:
            self.buffers.append(data[start : start + size])
            start += size

    def value(self, item: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise WireError("The value is too deep or has too many parts.")
        if item is None or isinstance(item, bool | int | float | str):
            return item
        if isinstance(item, list):
            return [self.value(part, depth + 1) for part in item]
        read = getattr(self, f"_read_{item['t']}")
        return read(item, depth + 1)

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
        return dict(zip(keys, values, strict=True))

    def _read_a(self, item: dict, depth: int) -> np.ndarray:
        dtype = np.dtype(str(item["dtype"]))
        if dtype.kind not in _KINDS or dtype.itemsize > 16 or dtype.names:
            raise WireError(f"Arrays of {dtype} do not cross.")
        buffer = self.buffers[item["b"]]
        shape = self._shape(item["shape"])
        if math.prod(shape) * dtype.itemsize != len(buffer):
            raise WireError("An array is not as large as its shape says.")
        return np.frombuffer(buffer, dtype).reshape(shape).astype(dtype.newbyteorder("="))

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

        index, name = self._column(item["index"], depth), self.value(item["name"], depth)
        return pd.Series(self._column(item["data"], depth).array, index=pd.Index(index), name=name)

    def _read_df(self, item: dict, depth: int) -> Any:
        import pandas as pd

        index = pd.Index(self._column(item["index"], depth))
        columns = [self._column(column, depth) for column in item["data"]]
        if any(len(column) != len(index) for column in columns):
            raise WireError("The columns of a table differ in length.")
        table = pd.DataFrame({place: column.array for place, column in enumerate(columns)})
        table.index = index
        table.columns = pd.Index(self._column(item["columns"], depth))
        return table

    def _column(self, item: dict, depth: int) -> Any:
        import pandas as pd

        dtype = str(item["dtype"])
        if dtype not in _COLUMN_TYPES:
            raise WireError(f"Columns of {dtype[:40]} do not cross.")
        return pd.Series(self.value(item["v"], depth), dtype=dtype)

    def _kept(self, kind: str, item: dict) -> Any:
        if self.found is None or not isinstance(item["h"], int):
            raise WireError("An object came where only plain values can.")
        return self.found(kind, item["h"], str(item.get("name", ""))[:60])

    def _list(self, items: Any, depth: int) -> list:
        if not isinstance(items, list):
            raise WireError("A list is not a list.")
        return [self.value(item, depth) for item in items]

    def _shape(self, shape: Any) -> tuple[int, ...]:
        ok = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
        if not ok or any(not isinstance(n, int) or n < 0 for n in shape):
            raise WireError("The shape of an array is wrong.")
        return tuple(shape)

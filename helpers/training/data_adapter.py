"""Convert the data given to `training.fit` to arrays, as `model.fit` would, and check it.

Every check raises a `ValueError` that says in one sentence what is wrong, where, and what to do.
"""

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from helpers.backend import keras, tf

__all__ = [
    "ByFold",
    "as_array",
    "check_data",
    "SeededBatches",
    "check_numbers",
    "check_text",
    "epoch_order",
    "is_plain",
    "orders",
    "pack",
    "rows_of",
    "split",
    "to_arrays",
    "unpack",
    "with_class_weights",
]

_ENTRYWISE_LOSSES = (
    keras.losses.MeanSquaredError,
    keras.losses.MeanAbsoluteError,
    keras.losses.Huber,
    keras.losses.BinaryCrossentropy,
    keras.losses.CategoricalCrossentropy,
)
_ENTRYWISE_FUNCTIONS = (
    keras.losses.mean_squared_error,
    keras.losses.mean_absolute_error,
    keras.losses.huber,
    keras.losses.binary_crossentropy,
    keras.losses.categorical_crossentropy,
)


def check_numbers(**numbers: tuple[Any, int]) -> None:
    """Raise a `ValueError` for any argument that is not an integer of at least its minimum.

    Args:
        numbers: Pair of the value and its minimum for each argument.
    """
    for name, (value, minimum) in numbers.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"{name} must be a whole number of at least {minimum}, not {value!r}.")


def to_arrays(x: Any, y: Any = None, sample_weight: Any = None, of: str = "") -> tuple | None:
    """Return x, y and the weights as numeric arrays with the same number of rows.

    Args:
        x: Inputs, one array or a structure of arrays, (rows, ...).
        y: Targets, likewise, or None.
        sample_weight: One weight per row, or None.
        of: Prefix of the names in error messages: "" or "validation ".

    Returns:
        The three parts, each None if it was not given. A single None if a part is not a dense
        numeric array (a dataset, a generator, text, sparse rows); Keras then handles the data.

    Raises:
        ValueError: If there are no rows or the numbers of rows differ.
    """
    parts = {f"{of}x": x, f"{of}y": y, f"{of}sample_weight": sample_weight}
    given = {name: part for name, part in parts.items() if part is not None}
    if x is None or not all(_is_dense(leaf) for leaf in keras.tree.flatten(list(given.values()))):
        return None
    arrays = {
        name: keras.tree.map_structure(as_array, part) if part is not None else None
        for name, part in parts.items()
    }
    leaves = keras.tree.flatten([arrays[name] for name in given])
    if not leaves or any(leaf is None for leaf in leaves):
        return None
    lengths = {name: _lengths(arrays[name], name) for name in given}
    rows, *others = lengths[f"{of}x"]
    if others:
        raise ValueError(f"The arrays in {of}x have different lengths: {[rows, *others]}.")
    if rows == 0:
        raise ValueError(f"There is no {of}data: {of}x has 0 rows.")
    for name, found in lengths.items():
        if found != [rows]:
            count = " and ".join(map(str, found))
            raise ValueError(
                f"{of}x has {rows} rows and {name} has {count}: give one entry of {name} per row."
            )
    return tuple(arrays.values())


def _is_dense(leaf: Any) -> bool:
    """Return whether `model.fit` would slice this object as one dense array."""
    if tf is not None and isinstance(leaf, tf.RaggedTensor | tf.SparseTensor):
        return False
    return not hasattr(leaf, "tocsr") and hasattr(leaf, "__array__") and hasattr(leaf, "shape")


def as_array(part: Any) -> Any:
    """Return a numeric array, with floats in Keras's default float type; None for other entries."""
    if keras.ops.is_tensor(part):
        dtype = keras.backend.standardize_dtype(part.dtype)
        if dtype == "string":
            return None
        array = keras.ops.convert_to_numpy(part)
    elif hasattr(part, "select_dtypes"):  # a DataFrame, possibly with columns of several dtypes
        numbers = part.select_dtypes(["number", "bool", "boolean"]).shape == part.shape
        if numbers and part.to_numpy().dtype == object:
            array = part.to_numpy(keras.config.floatx(), na_value=np.nan)
        else:
            array = part.to_numpy()
    elif hasattr(part, "iloc"):  # a Series, which Keras converts to a column
        array = part.to_numpy()[:, None]
    else:
        array = np.asarray(part)
    is_float = array.dtype.kind == "f" or array.dtype.name in ("bfloat16", "float16")
    if not is_float and array.dtype.kind not in "iub":
        return None
    return array.astype(keras.config.floatx(), copy=False) if is_float else array


def _lengths(structure: Any, name: str) -> list[int]:
    arrays = keras.tree.flatten(structure)
    if not arrays or any(array.ndim == 0 for array in arrays):
        raise ValueError(f"{name} has no rows: give an array with one row per example.")
    return sorted({array.shape[0] for array in arrays})


def rows_of(data: Any) -> int:
    """Return the number of rows of a structure of arrays."""
    return keras.tree.flatten(data)[0].shape[0]


def unpack(validation_data: Any) -> tuple | None:
    """Return validation data as its parts x, y and weights; None for a dataset."""
    if isinstance(validation_data, list | tuple):
        if not 1 <= len(validation_data) <= 3:
            raise ValueError(
                "validation_data must be (x, y) or (x, y, weights), but has "
                f"{len(validation_data)} parts."
            )
        return (*validation_data, None, None)[:3]
    return (validation_data, None, None) if _is_dense(validation_data) else None


def pack(x: Any, y: Any, sample_weight: Any) -> Any:
    """Return the three parts in the form that `model.fit` passes to a step."""
    parts = map(keras.tree.lists_to_tuples, (x, y, sample_weight))
    return keras.utils.pack_x_y_sample_weight(*parts)


def split(parts: tuple, fraction: float) -> tuple[tuple, tuple]:
    """Split off the last `fraction` of the rows, as `model.fit` does."""
    rows = rows_of(parts[0])
    at = math.floor(rows * (1 - fraction))
    if at == 0 or at == rows:
        raise ValueError(
            f"validation_split={fraction} of {rows} rows leaves one of the two parts without rows."
        )

    def cut(where: slice) -> tuple:
        return tuple(
            None if part is None else keras.tree.map_structure(lambda array: array[where], part)
            for part in parts
        )

    return cut(slice(at)), cut(slice(at, None))


def with_class_weights(x: Any, y: Any, sample_weight: Any, class_weight: Any) -> tuple:
    """Return the parts with class weights converted to sample weights, as `model.fit` does."""
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("Give either sample_weight or class_weight, not both.")
        sample_weight = _class_weights(y, class_weight)
    elif sample_weight is not None and hasattr(sample_weight, "shape") and not hasattr(y, "shape"):
        sample_weight = keras.tree.map_structure(lambda _: sample_weight, y)
    return x, y, sample_weight


def _class_weights(y: Any, class_weight: Mapping) -> np.ndarray:
    if not hasattr(y, "shape"):
        raise ValueError("class_weight needs a model with one output: give sample_weight instead.")
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] != 1 else y.reshape(len(y))
    values, places = np.unique(np.round(labels).astype(int), return_inverse=True)
    weights = [class_weight.get(int(value), 1.0) for value in values]
    return np.asarray(weights, keras.config.floatx())[places]


class ByFold(list):
    """Inputs that differ between folds: one array per fold, with all rows in the original order."""


class SeededBatches(keras.utils.PyDataset):
    """The batches of arrays in the order of `epoch_order`, for `model.fit`.

    Attributes:
        follow: A callback that keeps the epoch number up to date.
    """

    def __init__(self, data: Any, batch_size: int, seed: int, epoch: int):
        super().__init__()
        self._data, self._batch_size, self._seed, self._epoch = data, batch_size, seed, epoch
        self.follow = keras.callbacks.LambdaCallback(on_epoch_begin=self._begin)

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-rows_of(self._data) // self._batch_size)

    def __getitem__(self, place: int) -> Any:
        """Return one batch."""
        order = epoch_order(rows_of(self._data), self._seed, self._epoch)
        chosen = order[place * self._batch_size :][: self._batch_size]
        return keras.tree.map_structure(lambda array: array[chosen], self._data)

    def _begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch


def orders(rows: int, shuffle: bool, seed: int | None, start: int) -> Iterator[np.ndarray]:
    """Yield the order of the rows for each epoch from `start` on."""
    if not shuffle:
        return itertools.repeat(np.arange(rows, dtype="int32"))
    if seed is None:
        return _model_fit_orders(rows)
    return (epoch_order(rows, seed, epoch) for epoch in itertools.count(start))


def epoch_order(rows: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which `fit` with this seed visits the rows in an epoch.

    Args:
        rows: Number of rows.
        seed: The seed given to `fit`.
        epoch: Epoch, counted from 0.

    Returns:
        A permutation of 0 ... rows - 1, int32, of shape (rows,), the same on every backend.

    Example:
        >>> sorted(epoch_order(4, seed=0, epoch=0).tolist())
        [0, 1, 2, 3]
    """
    return np.random.default_rng((seed, epoch)).permutation(rows).astype("int32")


def _model_fit_orders(rows: int) -> Iterator[np.ndarray]:
    """Yield, for each epoch, the order in which `model.fit` would visit the rows.

    On TensorFlow the order comes from a `tf.data.Dataset` like that of `model.fit`, so that the
    global seed has the same effect: with a global seed, every epoch has the same order.
    """
    if tf is None:
        while True:
            yield np.random.permutation(rows).astype("int32")

    def shuffled(_):
        order = tf.random.shuffle(tf.range(rows, dtype=tf.int64))
        return tf.cast(order, tf.int32), tf.random.uniform((2,), maxval=2**62, dtype=tf.int64)

    source = tf.data.Dataset.range(1).map(shuffled)
    order, first_draw = next(iter(source))
    yield order.numpy()
    order, second_draw = next(iter(source))
    is_seeded = np.array_equal(first_draw, second_draw)
    while is_seeded:  # a new iterator takes ten milliseconds and would give the same order
        yield order.numpy()
    while True:
        yield np.random.default_rng().permutation(rows).astype("int32")


def check_text(model: keras.Model, x: Any) -> None:
    """Raise a `ValueError` if x is text but the model takes numbers."""
    inputs = getattr(model, "inputs", None) if is_plain(model) and model.built else None
    if not inputs or any(part.dtype == "string" for part in inputs) or not _is_dense(x):
        return
    dtype = getattr(x, "dtype", None)
    kinds = set(x.dtypes.astype(str)) if hasattr(x, "select_dtypes") else {str(dtype)}
    raise ValueError(
        f"x has entries of type {', '.join(sorted(kinds))}, not numbers: encode categories and "
        "fill missing values first."
    )


def check_data(model: keras.Model, parts: tuple, of: str = "") -> None:
    """Raise a `ValueError` for entries that are not finite or do not fit the model or its loss.

    Shapes and labels are checked for `Sequential` and functional models only; what a subclassed
    model accepts is known only to Keras.
    """
    for name, part in zip(("x", "y", "sample_weight"), parts, strict=True):
        for array in keras.tree.flatten(part):
            if array is not None:
                _check_finite(array, f"{of}{name}")
    x, y, _ = parts
    if y is None and is_plain(model) and model.loss is not None:
        raise ValueError(f"There are no {of}targets, and the model's loss needs them: pass {of}y.")
    if is_plain(model) and hasattr(x, "shape"):
        _check_inputs(model, x, of)
        if hasattr(y, "shape"):
            _check_targets(model, x, y, of)


def is_plain(model: keras.Model) -> bool:
    """Return whether a model is `Sequential` or functional, and not a subclass."""
    return type(model).__module__.startswith("keras.") and isinstance(model, keras.Model)


def _check_finite(array: np.ndarray, name: str) -> None:
    if array.dtype.kind != "f" or np.isfinite(array.sum()):  # one fast pass
        return
    bad = np.flatnonzero(~np.isfinite(array.reshape(array.shape[0], -1)).all(axis=1))
    if bad.size:  # otherwise only the sum overflowed
        raise ValueError(
            f"{name} has NaN or infinite entries in {bad.size} of its {array.shape[0]} rows, the "
            f"first in row {bad[0]}: fill or drop them, or pass check_finite=False to train as "
            "model.fit does."
        )


def _check_inputs(model: keras.Model, x: np.ndarray, of: str) -> None:
    shapes = getattr(model, "input_shape", None) if model.built else None
    if not isinstance(shapes, tuple) or not shapes or isinstance(shapes[0], tuple | list):
        return
    wanted, got = shapes[1:], x.shape[1:]
    same_rank = len(wanted) == len(got)
    matches = same_rank and all(a in (None, b) for a, b in zip(wanted, got, strict=True))
    if matches or (wanted[-1:] == (1,) and len(got) == len(wanted) - 1):
        return
    if got[-1:] == (1,) and len(got) == len(wanted) + 1:
        return
    advice = "reshape x"
    if len(wanted) == 1 and math.prod(got) == wanted[0]:
        advice = f"flatten each row with x.reshape(-1, {wanted[0]})"
    raise ValueError(
        f"{of}x has shape {x.shape}, but the model takes "
        f"({', '.join(['rows', *map(str, wanted)])}): {advice}, or change the model's input."
    )


def _check_targets(model: keras.Model, x: np.ndarray, y: np.ndarray, of: str) -> None:
    try:
        outputs = model.compute_output_shape(x.shape)
    except Exception:  # the model's first step reports the error more clearly
        return
    if not isinstance(outputs, tuple) or not outputs or not isinstance(outputs[-1], int):
        return
    loss = model.loss
    if isinstance(loss, str):
        with contextlib.suppress(ValueError):  # `compile` accepts a few more names
            loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy) or (
        loss is keras.losses.sparse_categorical_crossentropy
    ):
        is_object = isinstance(loss, keras.losses.Loss)
        _check_labels(y, outputs, loss.get_config().get("ignore_class") if is_object else None, of)
    elif isinstance(loss, _ENTRYWISE_LOSSES) or loss in _ENTRYWISE_FUNCTIONS:
        wanted, got = tuple(outputs[1:]), tuple(y.shape[1:])
        if None not in wanted and math.prod(wanted) != math.prod(got):
            raise ValueError(
                f"{of}y has shape {y.shape}, but the model outputs (rows, "
                f"{', '.join(map(str, wanted))}) and {_name_of(loss)} compares them entry by "
                "entry: change the last layer's units or the targets."
            )


def _name_of(loss: Any) -> str:
    return getattr(loss, "__name__", type(loss).__name__)


def _check_labels(y: np.ndarray, outputs: tuple, ignored: int | None, of: str) -> None:
    classes = outputs[-1]
    if y.ndim == len(outputs) and y.shape[-1] == classes and classes > 1:
        raise ValueError(
            f"{of}y has shape {y.shape}, one column per class, but the loss is a sparse one: "
            "pass class numbers, y.argmax(axis=1), or use CategoricalCrossentropy."
        )
    if y.ndim > 2 or len(outputs) > 2:
        return
    labels = y if ignored is None else y[y != ignored]
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"{of}y has labels from {labels.min()} to {labels.max()}, but the model outputs "
            f"{classes} classes, numbered 0 to {classes - 1}."
        )

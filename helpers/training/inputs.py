"""Check and prepare what is given to `training.fit`, before anything is trained.

Every check raises a `ValueError` of one sentence that says what is wrong, where, and what to do.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from helpers.backend import keras

_SAME_SHAPE_LOSSES = (
    keras.losses.MeanSquaredError,
    keras.losses.MeanAbsoluteError,
    keras.losses.Huber,
    keras.losses.BinaryCrossentropy,
    keras.losses.CategoricalCrossentropy,
)


def check_model(model: keras.Model) -> None:
    """Refuse a model that has nothing to train with."""
    if not getattr(model, "compiled", False):
        raise ValueError(
            "The model is not compiled: call model.compile(optimizer=..., loss=...) before fit."
        )
    if model.optimizer is None or getattr(model, "loss", None) is None:
        raise ValueError(
            "The model was compiled without an optimizer or a loss: name both in model.compile."
        )


def check_numbers(
    epochs: int,
    batch_size: int,
    validation_split: float = 0.0,
    initial_epoch: int = 0,
    seed: int | None = None,
) -> None:
    """Refuse numbers that describe no training."""
    for name, value, least in (
        ("epochs", epochs, 1),
        ("batch_size", batch_size, 1),
        ("initial_epoch", initial_epoch, 0),
        ("seed", 0 if seed is None else seed, 0),
    ):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} is a whole number of at least {least}, not {value!r}.")
    if not 0 <= validation_split < 1:
        raise ValueError(f"validation_split lies in [0, 1), not at {validation_split!r}.")


def is_arrays(x: Any) -> bool:
    """Tell arrays (also in a list or dict) from a data set that yields batches."""
    return all(hasattr(leaf, "shape") or np.isscalar(leaf) for leaf in keras.tree.flatten(x))


def arrays(
    x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping | None = None, of: str = ""
) -> tuple:
    """Return (x, y) or (x, y, weights) as NumPy arrays of equal length, or say what is wrong.

    Args:
        x: Inputs, one array or a structure of arrays, (rows, ...).
        y: Targets, likewise.
        sample_weight: One weight a row, or None.
        class_weight: A weight for each class, or None.
        of: What the data is, for the messages: "" or "validation ".
    """
    if y is None:
        raise ValueError(f"The {of}targets y are missing: give fit both x and y.")
    x, y = (_as_arrays(part, f"{of}{name}") for part, name in ((x, "x"), (y, "y")))
    rows = _rows(x, f"{of}x")
    if rows == 0:
        raise ValueError(f"There is no {of}data: {of}x has 0 rows.")
    if rows != _rows(y, f"{of}y"):
        raise ValueError(
            f"{of}x has {rows} rows and {of}y has {_rows(y, f'{of}y')}: each row of x needs "
            "one target."
        )
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("Give either sample_weight or class_weight, not both.")
        sample_weight = _class_weights(y, class_weight)
    if sample_weight is None:
        return x, y
    sample_weight = _as_arrays(sample_weight, f"{of}sample_weight")
    if _rows(sample_weight, f"{of}sample_weight") != rows:
        raise ValueError(
            f"{of}sample_weight has {_rows(sample_weight, f'{of}sample_weight')} entries for "
            f"{rows} rows: give one a row."
        )
    return x, y, sample_weight


def held_out(validation_data: Any) -> Any:
    """Return validation data as arrays, or as the data set it is."""
    if isinstance(validation_data, tuple | list):
        if len(validation_data) not in (2, 3):
            raise ValueError(
                f"validation_data is (x, y) or (x, y, weights), not {len(validation_data)} parts."
            )
        return arrays(*validation_data, of="validation ")
    return Batches(validation_data)


class Batches:
    """A data set that yields batches, made safe to go through once an epoch.

    Raises:
        ValueError: If it cannot be gone through again, never ends, or comes with arguments that
            belong to arrays.
    """

    def __init__(self, x, y=None, sample_weight=None, class_weight=None, validation_split=0.0):
        if y is not None or sample_weight is not None or validation_split:
            raise ValueError(
                "A data set yields (x, y) or (x, y, weights) itself: leave y, sample_weight and "
                "validation_split out."
            )
        if not hasattr(x, "__iter__") or hasattr(x, "__next__"):
            raise ValueError(
                f"x is of type {type(x).__name__}, which cannot be gone through once an epoch: "
                "give arrays or a tf.data.Dataset."
            )
        if hasattr(x, "cardinality") and int(x.cardinality()) == -1:
            raise ValueError("The data set never ends: leave out repeat(); fit repeats it itself.")
        self.source, self.class_weight = x, class_weight

    def __iter__(self) -> Iterator[tuple]:
        for batch in self.source:
            if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
                raise ValueError("The data set yields neither (x, y) nor (x, y, weights).")
            if self.class_weight is not None:
                batch = (*batch[:2], _class_weights(np.asarray(batch[1]), self.class_weight))
            yield tuple(batch)


def first_rows(data: Any) -> tuple:
    """Return two rows, or as many as there are, from which a model's variables can be built."""
    if isinstance(data, tuple):
        return keras.tree.map_structure(lambda array: array[:2], data)
    spec = getattr(data.source, "element_spec", None)
    parts = [] if spec is None else keras.tree.flatten(spec)
    if parts and all(part.shape[1:].is_fully_defined() for part in parts):
        # The first batch itself would advance the data set's own shuffling.
        return keras.tree.map_structure(
            lambda part: np.zeros((2, *part.shape[1:]), part.dtype.as_numpy_dtype), spec
        )
    for batch in data:
        return keras.tree.map_structure(lambda part: np.asarray(part)[:2], batch)
    raise ValueError("There is no data: the data set yields no batch.")


def rows(data: Any) -> int:
    """Return the number of rows of arrays; 0 for a data set, which does not say."""
    return keras.tree.flatten(data)[0].shape[0] if isinstance(data, tuple) else 0


def split(data: tuple, fraction: float) -> tuple[tuple, tuple]:
    """Cut the last `fraction` of the rows off, as `model.fit` does."""
    rows = keras.tree.flatten(data)[0].shape[0]
    at = math.floor(rows * (1 - fraction))
    if at == 0 or at == rows:
        raise ValueError(
            f"validation_split={fraction} of {rows} rows leaves one of the two parts empty."
        )
    return (
        keras.tree.map_structure(lambda array: array[:at], data),
        keras.tree.map_structure(lambda array: array[at:], data),
    )


def check_fit(model: keras.Model, data: tuple, of: str = "") -> None:
    """Compare the data's shapes and labels with what the model and its loss expect.

    Models with several inputs or outputs and losses of the user's own are left to Keras.
    """
    if not isinstance(data, tuple):
        return
    x, y = data[:2]
    if not hasattr(x, "shape") or not hasattr(y, "shape"):
        return
    if model.built and isinstance(model, keras.Sequential | keras.models.Model):
        _check_inputs(model, x, of)
    try:
        outputs = model.compute_output_shape(x.shape)
    except (NotImplementedError, TypeError, ValueError):
        return
    if not isinstance(outputs, tuple) or not outputs or not isinstance(outputs[-1], int):
        return
    loss = _loss(model)
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        _check_labels(y, outputs[-1], loss.get_config().get("ignore_class"), of)
    elif isinstance(loss, _SAME_SHAPE_LOSSES):
        wanted, got = tuple(outputs[1:]), tuple(y.shape[1:])
        if math.prod(wanted) != math.prod(got):
            raise ValueError(
                f"{of}y has shape {y.shape}, but the model puts out (rows, "
                f"{', '.join(map(str, wanted))}) and {type(loss).__name__} compares them entry "
                "by entry: change the last layer's units or the targets."
            )


def _check_inputs(model: keras.Model, x: np.ndarray, of: str) -> None:
    shapes = getattr(model, "input_shape", None)
    if not isinstance(shapes, tuple) or not shapes or isinstance(shapes[0], tuple | list):
        return
    wanted, got = shapes[1:], x.shape[1:]
    matches = len(wanted) == len(got) and all(
        a in (None, b) for a, b in zip(wanted, got, strict=True)
    )
    if not matches and not (wanted == (1,) and got == ()):
        advice = "reshape x"
        if len(wanted) == 1 and math.prod(got) == wanted[0]:
            advice = f"flatten each row with x.reshape(-1, {wanted[0]})"
        raise ValueError(
            f"{of}x has shape {x.shape}, but the model takes "
            f"({', '.join(['rows', *map(str, wanted)])}): {advice}, or change the model's input."
        )


def _check_labels(y: np.ndarray, classes: int, ignored: int | None, of: str) -> None:
    if y.ndim == 2 and y.shape[1] == classes and classes > 1:
        raise ValueError(
            f"{of}y has shape {y.shape}, one column a class, but the loss is the sparse one: pass "
            "class numbers, y.argmax(axis=1), or use CategoricalCrossentropy."
        )
    labels = y if ignored is None else y[y != ignored]
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"{of}y has labels from {labels.min()} to {labels.max()}, but the model puts out "
            f"{classes} classes, numbered 0 to {classes - 1}."
        )


def _loss(model: keras.Model) -> Any:
    """Return the one loss a model was compiled with as an object, or None."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, str):
        config = {"class_name": loss, "config": {}}
        names = {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError"}
        name = names.get(loss, "".join(part.title() for part in loss.split("_")))
        kind = getattr(keras.losses, name, None)
        return kind() if isinstance(kind, type) else config
    return loss


def _as_arrays(structure: Any, name: str) -> Any:
    return keras.tree.map_structure(lambda part: one_array(part, name), structure)


def one_array(part: Any, name: str) -> np.ndarray:
    """Return finite numbers as a NumPy array, floats in Keras's float type."""
    array = np.asarray(part) if not keras.ops.is_tensor(part) else keras.ops.convert_to_numpy(part)
    is_mixed = array.dtype == object and hasattr(part, "select_dtypes")  # columns of several types
    if is_mixed and part.select_dtypes(["number", "bool", "boolean"]).shape == part.shape:
        array = part.to_numpy(keras.config.floatx(), na_value=np.nan)
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise ValueError(
            f"{name} has entries of type {array.dtype}, not numbers: encode categories and fill "
            "missing values first."
        )
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx(), copy=False)
        if not np.isfinite(array.sum()):  # one fast pass; a sum may also overflow by itself
            bad = np.flatnonzero(~np.isfinite(array.reshape(array.shape[0] or 1, -1)).all(axis=1))
            if bad.size:
                raise ValueError(
                    f"{name} has NaN or infinite entries in {bad.size} of its {array.shape[0]} "
                    f"rows, the first in row {bad[0]}: fill or drop them before training."
                )
    return array


def _rows(structure: Any, name: str) -> int:
    arrays = keras.tree.flatten(structure)
    if not arrays or any(array.ndim == 0 for array in arrays):
        raise ValueError(f"{name} has no rows: give an array with one row for each example.")
    lengths = {array.shape[0] for array in arrays}
    if len(lengths) > 1:
        raise ValueError(f"The arrays in {name} have different lengths: {sorted(lengths)}.")
    return lengths.pop()


def _class_weights(y: Any, class_weight: Mapping) -> np.ndarray:
    """Turn one weight a class into one a row, as `model.fit` does."""
    if not hasattr(y, "shape"):
        raise ValueError("class_weight needs a model with one output: give sample_weight instead.")
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] != 1 else y.reshape(len(y))
    labels = np.round(labels).astype(int)
    values, places = np.unique(labels, return_inverse=True)
    weights = [class_weight.get(int(value), 1.0) for value in values]
    return np.asarray(weights, keras.config.floatx())[places]

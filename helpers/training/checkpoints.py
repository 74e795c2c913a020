"""Keep a training run in one file, from which it goes on as if it had never stopped."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from helpers import files
from helpers.backend import keras


def save(path: str | Path, model: keras.Model, **run: Any) -> None:
    """Write the model's state and the run's own numbers; the file is replaced in one step.

    Args:
        path: Where to write; its folder must exist.
        model: A built, compiled model: weights, dropout's seeds and the optimizer are kept.
        run: What else belongs to the run (epoch, seed, history), as JSON can hold it.
    """
    arrays = {f"v{i}": v.numpy() for i, v in enumerate(_variables(model))}
    with files.replacing(path) as file:
        np.savez(file, run=np.array(json.dumps(run)), **arrays)


def load(path: str | Path, model: keras.Model) -> dict | None:
    """Put a kept run's state into the model and return its numbers; None if there is no file.

    Raises:
        ValueError: If the file is damaged or belongs to a model of another shape.
    """
    if not Path(path).exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            run = json.loads(str(file["run"]))
            values = [file[f"v{i}"] for i in range(len(file.files) - 1)]
    except Exception as error:  # zip, JSON and array errors all mean one thing to the reader
        raise ValueError(
            f"{path} is not a complete checkpoint ({error}): delete it to start the run afresh."
        ) from error
    variables = _variables(model)
    if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
        raise ValueError(
            f"{path} was written for a model of another shape or with another optimizer: build "
            "that model, or name another checkpoint."
        )
    for variable, value in zip(variables, values, strict=True):
        # NumPy's files know bfloat16 as two bytes without a name.
        variable.assign(value.view(variable.dtype) if value.dtype.kind == "V" else value)
    return run


def _variables(model: keras.Model) -> list:
    return [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.optimizer.variables,
    ]

"""Train all folds and all configurations of a model at once."""

import numpy as np


def fold_indices(
    rows: int, k: int, *, shuffle: bool = True, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split rows into k folds of which each is the validation part once.

    Args:
        rows: Number of rows, at least k.
        k: Number of folds, at least 2. The first `rows % k` folds have one row more.
        shuffle: Whether rows are assigned to folds at random.
        seed: Seed of that assignment.

    Returns:
        k pairs (rows to train on, rows to validate on) of int64 arrays.

    Raises:
        ValueError: If there are fewer than two folds or more folds than rows.

    Example:
        >>> [validation.tolist() for _, validation in fold_indices(5, 2, shuffle=False)]
        [[0, 1, 2], [3, 4]]
    """
    if k < 2:
        raise ValueError(f"K-fold needs at least two folds, and k is {k}.")
    if k > rows:
        raise ValueError(f"There are {k} folds but only {rows} rows. Use k <= {rows}.")
    order = np.random.default_rng(seed).permutation(rows) if shuffle else np.arange(rows)
    parts = np.array_split(order, k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)]

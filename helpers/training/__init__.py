"""Train Keras models fast: `fit` for one model, `k_fold` and `search` for many at once."""

from helpers.training.cross_validation import Result, fold_indices, k_fold, search
from helpers.training.fitting import NonFiniteLoss, device, fit
from helpers.training.programs import epoch_order

__all__ = [
    "NonFiniteLoss",
    "Result",
    "device",
    "epoch_order",
    "fit",
    "fold_indices",
    "k_fold",
    "search",
]

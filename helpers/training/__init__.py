"""Train Keras models fast: `fit` for one model, `k_fold` and `search` for many models together."""

from helpers.training.cross_validation import SearchResult, fold_indices, k_fold, search
from helpers.training.data_adapter import epoch_order
from helpers.training.fitting import device, fit
from helpers.training.non_finite_loss import NonFiniteLoss

__all__ = [
    "NonFiniteLoss",
    "SearchResult",
    "device",
    "epoch_order",
    "fit",
    "fold_indices",
    "k_fold",
    "search",
]

"""Train many models of one architecture together, each epoch as one compiled program.

The weights of the models are stacked along a new first axis. `vectorized_map` (`vmap` on JAX) maps
the ordinary Keras model over them, with one batch per model, which gives every model its own
gradient. The optimizer then updates all weights together, since its update of an entry depends on
that entry alone. Numbers that may differ between the models (learning rate, weight decay, dropout
rate, regularization) are stacked too. The program is traced from objects that the user's `build`
returned; models share it if their fingerprints are equal.
"""

import contextlib
import functools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from helpers.backend import BACKEND, keras, tf
from helpers.training import data_adapter, epoch, masked_dropout
from helpers.training.fingerprint import Fingerprint, fingerprint

if BACKEND == "jax":
    import jax

__all__ = ["Stack", "obstacle"]

_VALIDATION_ROWS = 1024  # per step, if losses and metrics are means over rows
_BLOCK_WEIGHTS = 2_000_000  # more weights do not fit in a CPU's caches
_GATHERED_NUMBERS = 2**24  # an epoch's batches are gathered together up to this size
_KEPT_PROGRAMS = 4
_programs: OrderedDict[tuple, "_Program"] = OrderedDict()

_ENTRYWISE = (
    keras.optimizers.SGD,
    keras.optimizers.RMSprop,
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    keras.optimizers.Adagrad,
    keras.optimizers.Adadelta,
    keras.optimizers.Adamax,
    keras.optimizers.Lion,
)
_ADAM = (keras.optimizers.Adam, keras.optimizers.AdamW)
# Colab's Keras has no ReversibleEmbedding yet.
_SPARSE = (keras.layers.Embedding, getattr(keras.layers, "ReversibleEmbedding", None))
_MEANS_OVER_ROWS = (
    keras.losses.MeanSquaredError,
    keras.losses.MeanAbsoluteError,
    keras.losses.MeanSquaredLogarithmicError,
    keras.losses.Huber,
    keras.losses.BinaryCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)
_MEAN_NAMES = ("mse", "mae", "mean_squared_error", "mean_absolute_error")
_MEAN_NAMES += ("binary_crossentropy", "categorical_crossentropy")
_MEAN_NAMES += ("sparse_categorical_crossentropy",)
_TRAINABLE, _OPTIMIZER, _NON_TRAINABLE = range(3)  # the parts of a block's state


def obstacle(model: keras.Model, found: Fingerprint | None) -> str | None:
    """Return why models like this one cannot be trained together, or None if they can.

    Args:
        model: A compiled model that has been built.
        found: Its fingerprint, without the numbers that are stacked.
    """
    optimizer = model.optimizer

    def sets(name: str) -> bool:
        return bool(getattr(optimizer, name, None))

    kinds = {token for token in found.state if isinstance(token, type)} if found else set()
    random = any("seed_generator" in v.path for v in model.non_trainable_variables)
    obstacles = {
        "PyTorch cannot compile a whole epoch": BACKEND == "torch",
        "the model has custom parts": found is None,
        # On TensorFlow, Adam squares the rows of such a gradient before it sums duplicates.
        "embeddings have sparse gradients": tf and kinds & {*_SPARSE},
        "TensorFlow cannot map SpectralNormalization": tf
        and keras.layers.SpectralNormalization in kinds,
        "the model runs eagerly": model.run_eagerly,
        "XLA draws different random numbers": tf and model.jit_compile and random,
        "the optimizer has been used before": optimizer.built,
        "the optimizer clips norms": sets("clipnorm") or sets("global_clipnorm"),
        "the optimizer averages weights": sets("use_ema"),
        "the optimizer accumulates gradients": sets("gradient_accumulation_steps"),
        "the optimizer scales the loss": sets("loss_scale_factor")
        or isinstance(optimizer, keras.optimizers.LossScaleOptimizer),
        f"{type(optimizer).__name__} combines weight entries": type(optimizer) not in _ENTRYWISE,
        "weights have constraints": any(v.constraint for v in model.trainable_variables),
        "random numbers are drawn outside dropout layers that are used once": found
        and not masked_dropout.draws_all(model),
    }
    return next((reason for reason, holds in obstacles.items() if holds), None)


class Stack:
    """Trains every configuration on every fold, for models of one architecture.

    The models are along the first axis of stacked arrays: the model of configuration c on fold f
    has index `f * configurations + c`.

    Args:
        models: One built, compiled model per configuration; every fold starts from its weights.
        fingerprints: The fingerprints of the models, all of equal state.
        make: Function that takes an index of `models` and returns a new model like that one, whose
            optimizer has no variables yet.
        folds: Pairs (training rows, validation rows), with the same two lengths in every pair.
        data: Inputs (or one such array per fold), targets and weights, each of shape (rows, ...).
        batch_size: Samples per gradient update of each model.
        seed: Seed for the order of the rows.
        use_xla: Whether to compile with XLA.
    """

    def __init__(
        self,
        models: Sequence[keras.Model],
        fingerprints: Sequence[Fingerprint],
        make: Callable[[int], keras.Model],
        folds: Sequence[tuple[np.ndarray, np.ndarray]],
        data: tuple,
        batch_size: int,
        seed: int,
        use_xla: bool,
    ):
        self._seed = seed
        self.folds, self.batch_size, self.use_xla = folds, batch_size, use_xla
        self._make = functools.partial(make, 0)
        x, *rest = data
        by_fold = isinstance(x, data_adapter.ByFold)
        shifts = np.arange(len(folds))[:, None] * (len(x[0]) if by_fold else 0)
        self._shifts = keras.ops.convert_to_tensor(shifts.astype("int32"))
        x = np.concatenate(x) if by_fold else x
        given = [x, *(part for part in rest if part is not None)]
        self._data = keras.tree.map_structure(keras.ops.convert_to_tensor, given)
        parts = [
            [list(map(_numpy, part)) for part in (m.trainable_variables, m.non_trainable_variables)]
            for m in models
        ]
        trainable, non_trainable = (self._tile([part[i] for part in parts]) for i in (0, 1))
        self._start(models, fingerprints, trainable, non_trainable)

    def _tile(self, by_configuration: list[list[np.ndarray]]) -> list[np.ndarray]:
        """Stack each configuration's arrays, once per fold."""
        stacked = [np.stack(same) for same in zip(*by_configuration, strict=True)]
        return [np.concatenate([array] * len(self.folds)) for array in stacked]

    def _start(self, models, fingerprints, trainable, non_trainable, optimizer=None) -> None:
        """Divide the models into blocks of equal size, which one program trains in turn."""
        self.models, self.fingerprints = models, fingerprints
        size = _block_size(models, len(self.folds))
        sizes = size, len(self.folds), self.batch_size
        seeds = _shared_seeds(models[0], non_trainable)
        self._program = program = _program_for(
            self._make, fingerprints[0], self._data, sizes, seeds, self.use_xla
        )
        pairs = zip(models, fingerprints, strict=True)
        settings = [_settings_of(model, found) for model, found in pairs]
        count = len(models) * len(self.folds)
        optimizer = optimizer or [
            np.broadcast_to(v[:1], (count, *v.shape[1:])) if v.ndim else v
            for v in program.fresh_optimizer
        ]
        self._blocks = []
        for first in range(0, len(models), size):
            # The last model is repeated to fill the last block, so that one program serves all.
            block = np.minimum(np.arange(first, first + size), len(models) - 1)
            places = self._places(block)
            state = [
                [array[places] if array.ndim else array for array in part]
                for part in (trainable, optimizer, non_trainable)
            ]
            numbers = {
                name: keras.ops.convert_to_tensor(
                    [settings[c][name] for c in block] * len(self.folds), "float32"
                )
                for name in settings[0]
            }
            self._blocks.append(_Block(list(map(epoch.tensors, state)), numbers))

    def _places(self, configurations: Sequence[int]) -> list[int]:
        """Return the indices of the models of some configurations, ordered by fold."""
        count = len(self.models)
        return [fold * count + c for fold in range(len(self.folds)) for c in configurations]

    def train(self, start: int, end: int, runs: Sequence[Sequence], advance: Callable) -> None:
        """Train all models from one epoch to another.

        Args:
            start: The first epoch, counted from 0.
            end: The epoch to stop before.
            runs: For each fold, the record of each configuration.
            advance: Called after each epoch with the fraction of it that was trained: 1.
        """
        going = [run for records in runs for run in records]
        for number in range(start, end):
            if all(run.stopped for run in going):
                break
            logs = self._epoch(number)
            wanted = []
            for place, run in enumerate(going):
                if not run.stopped:
                    at = divmod(place, len(self.models))
                    if run.record(number, {name: v[at].tolist() for name, v in logs.items()}):
                        wanted.append((at, run))
            if wanted:
                weights = self._weights()
                for at, run in wanted:
                    run.keep_best([array[at].copy() for array in weights])
            advance(1.0)
        weights = self._weights()
        for place, run in enumerate(going):
            if not run.stopped:
                at = divmod(place, len(self.models))
                run.keep_last([array[at].copy() for array in weights])

    def _epoch(self, number: int) -> dict[str, np.ndarray]:
        """Train and validate all models for one epoch; return metrics by fold and configuration."""
        order = data_adapter.epoch_order(len(self.folds[0][0]), self._seed, number)
        train = np.stack([rows[order] for rows, _ in self.folds])
        test = np.stack([rows for _, rows in self.folds])
        results: dict[str, list] = {}
        for block in self._blocks:
            for which, rows, prefix in (("train", train, ""), ("test", test, "val_")):
                logs = self._program.run(which, block, self._data, self._shifts, rows)
                for name, values in logs.items():
                    results.setdefault(prefix + name, []).append(np.array(values))
        return {name: self._joined(parts) for name, parts in results.items()}

    def _joined(self, blocks: list[np.ndarray]) -> np.ndarray:
        """Join the blocks' arrays to one of shape (folds, configurations, ...)."""
        apart = [block.reshape(len(self.folds), -1, *block.shape[1:]) for block in blocks]
        return np.concatenate(apart, axis=1)[:, : len(self.models)]

    def _values(self, part: int) -> list[np.ndarray]:
        """Return one part of the state of all blocks, with stacked arrays joined by `_joined`."""
        by_block = [map(_numpy, self._program.values_of(block, part)) for block in self._blocks]
        return [
            self._joined(arrays) if arrays[0].ndim else arrays[0]
            for arrays in zip(*by_block, strict=True)
        ]

    def _weights(self) -> list[np.ndarray]:
        """Return trainable, then non-trainable weights, of shape (folds, configurations, ...)."""
        return [*self._values(_TRAINABLE), *self._values(_NON_TRAINABLE)]

    def keep(self, configurations: Sequence[int]) -> None:
        """Continue with some of the configurations only."""
        trainable, optimizer, non_trainable = (
            [v[:, configurations].reshape(-1, *v.shape[2:]) if v.ndim else v for v in part]
            for part in map(self._values, (_TRAINABLE, _OPTIMIZER, _NON_TRAINABLE))
        )
        self.release()
        models = [self.models[c] for c in configurations]
        found = [self.fingerprints[c] for c in configurations]
        self._start(models, found, trainable, non_trainable, optimizer)

    def release(self) -> None:
        """Release the values of this stack from the program."""
        if self._program.holder in self._blocks:
            self._program.holder = None


class _Block:
    """Models that are trained together, and their values while these are not in the program.

    Attributes:
        state: The values of the trainable, the optimizer's and the non-trainable variables.
        settings: The numbers in which the models differ, each of shape (models,).
    """

    def __init__(self, state: list[list], settings: dict[str, Any]):
        self.state, self.settings = state, settings


def _block_size(models: Sequence[keras.Model], folds: int) -> int:
    """Return how many configurations to train together: all, or as many as fit a CPU's caches."""
    weights = folds * max(1, models[0].count_params())
    largest = max(1, _BLOCK_WEIGHTS // weights)
    if len(models) <= largest or epoch.device_name() != "CPU":
        return len(models)
    return -(-len(models) // -(-len(models) // largest))


def _shared_seeds(model: keras.Model, non_trainable: list[np.ndarray]) -> bool:
    """Return whether all models of a stack draw the same random numbers."""
    return all(
        (array == array[0]).all()
        for array, variable in zip(non_trainable, model.non_trainable_variables, strict=True)
        if "seed_generator" in variable.path
    )


def _program_for(make, found, data, sizes, shared_seeds, use_xla) -> "_Program":
    """Return the program for blocks of this shape, from the cache if it is there."""
    key = found.state, sizes, shared_seeds, use_xla, BACKEND
    program = _programs.get(key)
    if program is None:
        model = make()
        again = fingerprint(model, free=True)
        if again is None or again.state != found.state:
            raise ValueError(
                "build returned two different models for the same arguments: it must depend on "
                "its arguments only."
            )
        program = _programs[key] = _Program(model, again.free, data, *sizes, shared_seeds, use_xla)
        if len(_programs) > _KEPT_PROGRAMS:
            _programs.popitem(last=False)
    _programs.move_to_end(key)
    return program


def _validation_rows(model: keras.Model, batch_size: int) -> int:
    """Return the rows per validation step: more than a batch if that changes no result."""
    loss, metrics = model.loss, model.metrics[1:]
    metrics = [m for metric in metrics for m in getattr(metric, "metrics", [metric])]
    is_mean = loss in _MEAN_NAMES if isinstance(loss, str) else isinstance(loss, _MEANS_OVER_ROWS)
    is_mean = is_mean and getattr(loss, "reduction", "mean") != "sum"
    of_functions = any(type(metric) is keras.metrics.MeanMetricWrapper for metric in metrics)
    return _VALIDATION_ROWS if is_mean and not of_functions else batch_size


class _Program:
    """The compiled epochs of a stack's blocks, and the variables that they change.

    Attributes:
        holder: The block whose values the variables hold.
    """

    def __init__(
        self, model, slots, data, configurations, folds, batch_size, shared_seeds, use_xla
    ):
        self.use_xla, self.holder, self.model, self._slots = use_xla, None, model, slots
        self.configurations, self.folds, self.shared_seeds = configurations, folds, shared_seeds
        epoch.build(model, _packed(data), with_optimizer=False)
        self.rows = {"train": batch_size, "test": _validation_rows(model, batch_size)}
        self.dropouts = masked_dropout.layers_of(model)
        count = configurations * folds
        self.trainable = [
            keras.Variable(np.zeros((count, *v.shape)), dtype=v.dtype)
            for v in model.trainable_variables
        ]
        self.optimizer = model.optimizer  # the user's, for stacked weights from now on
        self.optimizer.build(self.trainable)
        self.fresh_optimizer = [_numpy(v) for v in self.optimizer.variables]
        is_adam = type(self.optimizer) in _ADAM and not self.optimizer.amsgrad
        is_float32 = all(v.dtype == "float32" for v in self.trainable)
        one_rate = tf is not None and configurations == 1
        fused = is_adam and is_float32 and one_rate
        self._update_one = self._adam_step if fused else self.optimizer.update_step
        metrics = map(_numpy, model.metrics_variables)
        self._fresh_metrics = epoch.tensors(np.broadcast_to(m, (count, *m.shape)) for m in metrics)
        self._epochs = {
            which: epoch.Traced(functools.partial(self._epoch, which), self.dropouts)
            for which in ("train", "test")
        }

    def run(self, which: str, block: _Block, data, shifts, order) -> dict:
        """Run one epoch of training or validation for a block and return its metrics."""
        self._hold(block)
        changed = () if tf else tuple(map(epoch.tensors, self._changing()))
        state = (changed, block.state[_NON_TRAINABLE], self._fresh_metrics)
        order = keras.ops.convert_to_tensor(order.astype("int32"))
        (changed, non_trainable, _), logs = self._epochs[which](
            state, block.settings, data, shifts, order
        )
        if which == "train":
            block.state[_NON_TRAINABLE] = non_trainable
            for variables, values in zip(self._changing(), changed, strict=False):
                epoch.write(variables, values)
        return logs

    def _hold(self, block: _Block) -> None:
        """Load a block's values into the variables, and save those of the previous block."""
        if self.holder is block:
            return
        if self.holder is not None:
            self.holder.state[:_NON_TRAINABLE] = map(epoch.read, self._changing())
        for variables, values in zip(self._changing(), block.state, strict=False):
            epoch.write(variables, values)
        self.holder = block

    def values_of(self, block: _Block, part: int) -> list:
        """Return one part of a block's state, from the variables if they hold it."""
        if self.holder is not block or part == _NON_TRAINABLE:
            return block.state[part]
        return epoch.read(self._changing()[part])

    def _changing(self) -> tuple[list, list]:
        return self.trainable, self.optimizer.variables

    def _epoch(self, which: str, state, settings, data, shifts, order):
        """Run one step per batch for all models, and return the state and the metrics."""
        training = which == "train"
        size = min(self.rows[which], order.shape[1])
        dropouts = self.dropouts if training else []
        step = self._train_step if training else self._test_step
        in_xla = self.use_xla and tf is not None and training  # validation gains little
        one_step = epoch.compiled(step, use_xla=True) if in_xla and dropouts else step

        def gather(rows, data, shifts):
            return [epoch.take(data[0], rows + shifts), *(epoch.take(d, rows) for d in data[1:])]

        def for_each(batch):
            if self.configurations == 1:
                return batch
            repeat = functools.partial(keras.ops.repeat, repeats=self.configurations, axis=0)
            return keras.tree.map_structure(repeat, batch)

        def full_batches(state, settings, data, shifts, order):
            steps = order.shape[1] // size
            rows = keras.ops.reshape(order[:, : steps * size], (self.folds, steps, size))
            rows = keras.ops.transpose(rows, (1, 0, 2))
            shapes = [array.shape[1:] for array in keras.tree.flatten(data)]
            row_size = sum(np.prod(shape, dtype=int) for shape in shapes)
            at_once = row_size * steps * size * self.folds <= _GATHERED_NUMBERS
            batches = gather(rows, data, shifts) if at_once else [rows]

            def body(index, state):
                batch = keras.tree.map_structure(lambda array: array[index], batches)
                batch = batch if at_once else gather(*batch, data, shifts)
                state, noise = self._draw(state, dropouts, size)
                return one_step(state, settings, for_each(batch), noise)

            return epoch.loop(steps, body, state)

        if in_xla and not dropouts:
            full_batches = epoch.compiled(full_batches, use_xla=True)
        state = full_batches(state, settings, data, shifts, order)
        rest = order.shape[1] % size
        if rest:
            state, noise = self._draw(state, dropouts, rest)
            batch = for_each(gather(order[:, -rest:], data, shifts))
            state = step(state, settings, batch, noise)
        return state, self._map(self._results, (state[2],))

    def _draw(self, state, dropouts: list[masked_dropout.Masked], rows: int):
        """Draw each dropout layer's noise and advance its seeds; draw once if seeds are equal."""
        changed, non_trainable, metrics = state
        non_trainable, noise = list(non_trainable), []
        places = {id(v): i for i, v in enumerate(self.model.non_trainable_variables)}
        for layer in dropouts:
            generator = layer.layer.seed_generator.state
            place = places[id(generator)]
            seeds, drawn, advanced = non_trainable[place], [], []
            for configuration in range(1 if self.shared_seeds else self.configurations):
                with keras.StatelessScope([(generator, seeds[configuration])]) as scope:
                    drawn.append(layer.noise(rows))
                advanced.append(scope.get_current_value(generator))
            copies = seeds.shape[0] // len(advanced)
            non_trainable[place] = keras.ops.tile(keras.ops.stack(advanced), (copies, 1))
            if self.shared_seeds:
                noise.append(drawn[0])
            else:
                tiling = (self.folds,) + (1,) * len(drawn[0].shape)
                noise.append(keras.ops.tile(keras.ops.stack(drawn), tiling))
        return (changed, non_trainable, metrics), noise

    def _train_step(self, state, settings, batch, noise):
        changed, non_trainable, metrics = state
        trainable = changed[0] if changed else epoch.tensors(self.trainable)
        stacked_noise = [] if self.shared_seeds else noise

        def learn(trainable, non_trainable, metrics, settings, batch, own_noise):
            with self._set(settings):
                for layer, values in zip(self.dropouts, own_noise or noise, strict=True):
                    layer.mask = layer.keeps(values)
                gradients, kept = epoch.gradients(
                    lambda values: self._forward(values, non_trainable, metrics, batch, True),
                    trainable,
                )
            return gradients, *kept

        parts = (trainable, non_trainable, metrics, settings, batch, stacked_noise)
        gradients, non_trainable, metrics = self._map(learn, parts)
        if not changed:
            self._update(gradients, settings)
            return changed, non_trainable, metrics
        pairs = [
            pair
            for variables, values in zip(self._changing(), changed, strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(pairs) as scope:
            self._update(gradients, settings)
        changed = tuple([scope.get_current_value(v) for v in part] for part in self._changing())
        return changed, non_trainable, metrics

    def _test_step(self, state, settings, batch, _):
        changed, non_trainable, metrics = state
        trainable = changed[0] if changed else epoch.tensors(self.trainable)

        def measure(trainable, non_trainable, metrics, settings, batch):
            with self._set(settings):
                return self._forward(trainable, non_trainable, metrics, batch, False)[1][1]

        parts = (trainable, non_trainable, metrics, settings, batch)
        return changed, non_trainable, self._map(measure, parts)

    def _forward(self, trainable, non_trainable, metrics, batch, training: bool):
        """Return one model's loss, and its non-trainable and metric variables after a batch."""
        model = self.model
        x, y, weights = keras.utils.unpack_x_y_sample_weight(tuple(batch))
        parts = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
        pairs = [
            pair
            for variables, values in zip(parts, (trainable, non_trainable, metrics), strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            prediction = model(x, training=training)
            loss = model.compute_loss(x, y, prediction, weights, training=training)
            rows = keras.tree.flatten(x)[0].shape[0]
            model.metrics[0].update_state(loss, sample_weight=rows)  # the mean loss
            model.compute_metrics(x, y, prediction, weights)
        return loss, tuple([scope.get_current_value(v) for v in part] for part in parts[1:])

    @contextlib.contextmanager
    def _set(self, settings: dict) -> Iterator[None]:
        """Set attributes of the model's parts to stacked numbers while the model is traced."""
        old = [getattr(*slot) for slot in self._slots]
        for place, (owner, name) in enumerate(self._slots):
            setattr(owner, name, settings[_setting(place, owner, name)])
        try:
            yield
        finally:
            for (owner, name), value in zip(self._slots, old, strict=True):
                setattr(owner, name, value)

    def _results(self, metrics) -> dict:
        pairs = list(zip(self.model.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(pairs):
            return self.model.get_metrics_result()

    def _update(self, gradients, settings) -> None:
        """Update all weights with the optimizer, each model at its own learning rate."""
        optimizer = self.optimizer
        for variable, gradient in zip(self.trainable, gradients, strict=True):
            shape = (-1,) + (1,) * (len(variable.shape) - 1)
            rate = optimizer.learning_rate
            if "learning_rate" in settings:
                rate = keras.ops.reshape(settings["learning_rate"], shape)
            if optimizer.clipvalue:
                gradient = keras.ops.clip(gradient, -optimizer.clipvalue, optimizer.clipvalue)
            if "weight_decay" in settings:
                decay = keras.ops.reshape(settings["weight_decay"], shape)
                variable.assign(variable - variable * decay * rate)
            self._update_one(gradient, variable, rate)
        optimizer.iterations.assign(optimizer.iterations + 1)

    def _adam_step(self, gradient, variable, rate) -> None:
        """Apply Keras's Adam update in one pass over the weights, with TensorFlow's Adam kernel."""
        adam = self.optimizer
        moments = adam.variables[-2 * len(self.trainable) :]
        slots = zip(self.trainable, moments[::2], moments[1::2], strict=True)
        momentum, velocity = next((m, v) for weight, m, v in slots if weight is variable)
        step = tf.cast(adam.iterations + 1, "float32")
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=momentum.value.handle,
            v=velocity.value.handle,
            beta1_power=adam.beta_1**step,
            beta2_power=adam.beta_2**step,
            lr=tf.reshape(rate, (-1,))[0],
            beta1=adam.beta_1,
            beta2=adam.beta_2,
            epsilon=adam.epsilon,
            grad=gradient,
        )

    def _map(self, function: Callable, parts: tuple):
        if BACKEND == "jax":
            return jax.vmap(function)(*parts)
        return tf.vectorized_map(lambda each: function(*each), parts)


def _packed(data: Sequence) -> tuple:
    return keras.utils.pack_x_y_sample_weight(*data)


def _settings_of(model: keras.Model, found: Fingerprint) -> dict[str, float]:
    """Return the numbers of a model that a stack stores separately for each model."""
    numbers = {_setting(place, *slot): getattr(*slot) for place, slot in enumerate(found.free)}
    if not isinstance(model.optimizer.get_config()["learning_rate"], dict):
        numbers["learning_rate"] = float(model.optimizer.learning_rate)
    return numbers


def _setting(place: int, owner: Any, name: str) -> str:
    return name if isinstance(owner, keras.optimizers.Optimizer) else f"{place} {name}"


def _numpy(value: Any) -> np.ndarray:
    is_variable = isinstance(value, keras.Variable)
    return value.numpy() if is_variable else keras.ops.convert_to_numpy(value)

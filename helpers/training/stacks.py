"""Train many models of one architecture at once, each epoch as one compiled program.

The weights of the models are stacked along a new first axis. One batch for each model goes
through `vectorized_map` (`vmap` on JAX) over the ordinary Keras model, which gives every model
its own gradient; the optimizer then updates all weights at once, since what it does to an entry
depends on that entry alone. Numbers that may differ between the models (learning rate, weight
decay, dropout rate, regularization) are stacked too.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from helpers.backend import BACKEND, keras, silence, tf
from helpers.training import masked_dropout, programs

if BACKEND == "jax":
    import jax

_VALIDATION_ROWS = 1024  # at once, where a loss is a mean
_BLOCK_WEIGHTS = 2_000_000  # more weights at once run out of a CPU's caches
_GATHERED_NUMBERS = 2**24  # an epoch's batches of up to so many numbers are gathered at once
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
_DROPOUTS = (keras.layers.Dropout, masked_dropout.ReadyDropout)
_REGULARIZERS = (keras.regularizers.L1, keras.regularizers.L2)
_SETTINGS = ("rate", "l1", "l2", "weight_decay")
_TRAINABLE, _OPTIMIZER, _NON_TRAINABLE = range(3)  # the parts of a block's state


def obstacle(model: keras.Model) -> str | None:
    """Say why models like this built one are trained one by one; None where all train at once."""
    optimizer, description = model.optimizer, describe(model)
    known = description is not None
    has = functools.partial(programs.has_layer, description or "")
    obstacles = {
        "PyTorch runs no compiled epochs": BACKEND == "torch",
        "weight decay leaves out some weights": programs.spares_weights(optimizer),
        "the optimizer scales the loss": isinstance(optimizer, keras.optimizers.LossScaleOptimizer),
        "parts of the model are not Keras's own, or adapted to data": not known,
        # On TensorFlow, Adam squares the rows of such a gradient before it adds up equal ones.
        "embeddings have sparse gradients": tf and has("Embedding", "ReversibleEmbedding"),
        "TensorFlow cannot map SpectralNormalization": tf and has("SpectralNormalization"),
        "the model runs eagerly": model.run_eagerly,
        f"{type(optimizer).__name__} mixes a weight's entries": type(optimizer) not in _ENTRYWISE,
        "the optimizer clips norms": optimizer.clipnorm or optimizer.global_clipnorm,
        "the optimizer averages weights": optimizer.use_ema,
        "the optimizer accumulates gradients": optimizer.gradient_accumulation_steps,
        "weights have constraints": any(v.constraint for v in model.trainable_variables),
        "not only dropout layers, each used once, draw numbers": known
        and not masked_dropout.draws_all(model),
    }
    return next((reason for reason, stands in obstacles.items() if stands), None)


def describe(model: keras.Model) -> str | None:
    """Describe what models must share to be stacked: all but the numbers that are stacked."""
    description = programs.describe(model, free=_SETTINGS)
    if description is None:
        return None
    stacked = _settings_of(model).keys() - {"learning_rate"}
    if description.count('"free"') != len(stacked):
        return programs.describe(model)  # some numbers are where `_slots` does not look
    return description


class Stack:
    """Every configuration on every fold, for models of one architecture.

    The first axis of all that is stacked counts the models, folds first: the model of
    configuration c on fold f is number `f * configurations + c`.

    Args:
        models: One built, compiled model for each configuration; its values are where every fold
            starts.
        folds: Pairs (rows to train on, rows to validate on), each of the same two lengths.
        x: Inputs, (rows, ...), or one such array for each fold.
        y: Targets, (rows, ...).
        batch_size: Rows a step of each model.
        xla: Whether to compile with XLA.
    """

    def __init__(
        self,
        models: Sequence[keras.Model],
        folds: Sequence[tuple[np.ndarray, np.ndarray]],
        x: np.ndarray | list[np.ndarray],
        y: np.ndarray,
        batch_size: int,
        xla: bool,
    ):
        self.folds, self.batch_size, self.xla = folds, batch_size, xla
        by_fold = isinstance(x, list)
        shifts = np.arange(len(folds))[:, None] * (len(y) if by_fold else 0)
        self._shifts = keras.ops.convert_to_tensor(shifts.astype("int32"))
        data = (np.concatenate(x) if by_fold else x, y)
        self._data = keras.tree.map_structure(keras.ops.convert_to_tensor, data)
        parts = [
            [list(map(_numpy, part)) for part in (m.trainable_variables, m.non_trainable_variables)]
            for m in models
        ]
        trainable, non_trainable = (self._tile([part[i] for part in parts]) for i in (0, 1))
        self._start(models, trainable, non_trainable)

    def _tile(self, by_configuration: list[list[np.ndarray]]) -> list[np.ndarray]:
        """Stack each configuration's arrays, once for each fold."""
        stacked = [np.stack(same) for same in zip(*by_configuration, strict=True)]
        return [np.concatenate([array] * len(self.folds)) for array in stacked]

    def _start(self, models, trainable, non_trainable, optimizer=None) -> None:
        """Divide the models into blocks of one size, which take turns in one program."""
        self.models = models
        size = _block_size(models, len(self.folds))
        self._program = program = _program_for(
            models, non_trainable, self._data, size, len(self.folds), self.batch_size, self.xla
        )
        settings = [_settings_of(model) for model in models]
        count = len(models) * len(self.folds)
        optimizer = optimizer or [
            np.broadcast_to(v[:1], (count, *v.shape[1:])) if v.ndim else v
            for v in program.fresh_optimizer
        ]
        self._blocks = []
        for first in range(0, len(models), size):
            # The last block is filled up with its last model: one program serves all blocks.
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
            self._blocks.append(_Block(list(map(programs.tensors, state)), numbers))

    def _places(self, configurations: Sequence[int]) -> list[int]:
        """Return the numbers of some configurations' models, folds first."""
        count = len(self.models)
        return [fold * count + c for fold in range(len(self.folds)) for c in configurations]

    def epoch(self, orders: Sequence[np.ndarray]) -> tuple[dict, dict]:
        """Train and validate all models for one epoch.

        Args:
            orders: For each fold, the order in which its training rows are visited.

        Returns:
            The training metrics and the validation metrics, each (folds, configurations).
        """
        train = np.stack([rows[order] for (rows, _), order in zip(self.folds, orders, strict=True)])
        test = np.stack([rows for _, rows in self.folds])
        results: tuple[dict, dict] = {}, {}
        with silence():
            for block in self._blocks:
                for which, order, result in zip(
                    ("train", "test"), (train, test), results, strict=True
                ):
                    logs = self._program.run(which, block, self._data, self._shifts, order)
                    for name, values in logs.items():
                        result.setdefault(name, []).append(np.array(values))
        return tuple({k: self._joined(parts) for k, parts in d.items()} for d in results)

    def _joined(self, blocks: list[np.ndarray]) -> np.ndarray:
        """Put the blocks' arrays together: (folds, configurations, ...)."""
        apart = [block.reshape(len(self.folds), -1, *block.shape[1:]) for block in blocks]
        return np.concatenate(apart, axis=1)[:, : len(self.models)]

    def _values(self, part: int) -> list[np.ndarray]:
        """Return one part of all blocks' states; what is stacked as `_joined` gives it."""
        by_block = [map(_numpy, self._program.values_of(block, part)) for block in self._blocks]
        return [
            self._joined(arrays) if arrays[0].ndim else arrays[0]
            for arrays in zip(*by_block, strict=True)
        ]

    def weights(self) -> list[list[np.ndarray]]:
        """Return trainable and non-trainable values, each array (folds, configurations, ...)."""
        return [self._values(_TRAINABLE), self._values(_NON_TRAINABLE)]

    def keep(self, configurations: Sequence[int]) -> None:
        """Go on with some of the configurations only."""
        trainable, optimizer, non_trainable = (
            [v[:, configurations].reshape(-1, *v.shape[2:]) if v.ndim else v for v in part]
            for part in map(self._values, (_TRAINABLE, _OPTIMIZER, _NON_TRAINABLE))
        )
        self.release()
        models = [self.models[c] for c in configurations]
        self._start(models, trainable, non_trainable, optimizer)

    def release(self) -> None:
        """Let the program forget this stack's values."""
        if self._program.holder in self._blocks:
            self._program.holder = None


class _Block:
    """Models that are trained at once: their values, while the program does not hold them.

    Attributes:
        state: The values of the trainable, the optimizer's and the non-trainable variables.
        settings: The numbers in which the models differ, each (models,).
    """

    def __init__(self, state: list[list], settings: dict[str, Any]):
        self.state, self.settings = state, settings


def _block_size(models: Sequence[keras.Model], folds: int) -> int:
    """Return how many configurations are trained at once: all, or as many as a CPU does best."""
    weights = folds * max(1, models[0].count_params())
    largest = max(1, _BLOCK_WEIGHTS // weights)
    if len(models) <= largest or programs.device_name() != "CPU":
        return len(models)
    return -(-len(models) // -(-len(models) // largest))


def _program_for(models, non_trainable, data, size, folds, batch_size, xla) -> "_Program":
    """Return the program for blocks of this shape, an old one where there is one."""
    template = models[0]
    seeds = [
        array
        for array, variable in zip(non_trainable, template.non_trainable_variables, strict=True)
        if "seed_generator" in variable.path
    ]
    shared_seeds = all((array == array[0]).all() for array in seeds)
    description = describe(template)
    is_sum = '"reduction": "sum"' in description
    rows = {"train": batch_size, "test": batch_size if is_sum else _VALIDATION_ROWS}
    key = (description, size, folds, shared_seeds, batch_size, xla)
    make = functools.partial(_Program, template, data, size, folds, shared_seeds, rows, xla)
    return programs.kept(_programs, key, make, _KEPT_PROGRAMS)


class _Program:
    """The compiled epochs of a stack's blocks, and the variables that they change.

    Attributes:
        holder: The block whose values the variables hold.
    """

    def __init__(self, model, data, configurations, folds, shared_seeds, rows, xla):
        self.xla, self.rows, self.holder = xla, rows, None
        self.configurations, self.folds, self.shared_seeds = configurations, folds, shared_seeds
        self.model = programs.copy(model, data, ready=True)
        self.dropouts = masked_dropout.layers(self.model)
        count = configurations * folds
        self.trainable = [
            keras.Variable(np.zeros((count, *v.shape)), dtype=v.dtype)
            for v in self.model.trainable_variables
        ]
        self.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        self.optimizer.build(self.trainable)
        self.fresh_optimizer = [_numpy(v) for v in self.optimizer.variables]
        is_adam = type(self.optimizer) in _ADAM and not self.optimizer.amsgrad
        is_float32 = all(v.dtype == "float32" for v in self.trainable)
        one_rate = tf is not None and configurations == 1
        fused = is_adam and is_float32 and one_rate
        self._update_one = self._adam_step if fused else self.optimizer.update_step
        metrics = map(_numpy, self.model.metrics_variables)
        self._fresh_metrics = programs.tensors(
            np.broadcast_to(m, (count, *m.shape)) for m in metrics
        )
        self._epochs = {
            which: programs.Traced(functools.partial(self._epoch, which))
            for which in ("train", "test")
        }

    def run(self, which: str, block: _Block, data, shifts, order) -> dict:
        """Run one epoch of training or validation for a block and return its metrics."""
        self._hold(block)
        changed = () if tf else tuple(map(programs.tensors, self._changing()))
        state = (changed, block.state[_NON_TRAINABLE], self._fresh_metrics)
        order = keras.ops.convert_to_tensor(order.astype("int32"))
        (changed, non_trainable, _), logs = self._epochs[which](
            state, block.settings, data, shifts, order
        )
        if which == "train":
            block.state[_NON_TRAINABLE] = non_trainable
            for variables, values in zip(self._changing(), changed, strict=False):
                programs.write(variables, values)
        return logs

    def _hold(self, block: _Block) -> None:
        """Put a block's values into the variables, and save those of the block before."""
        if self.holder is block:
            return
        if self.holder is not None:
            self.holder.state[:_NON_TRAINABLE] = map(programs.read, self._changing())
        for variables, values in zip(self._changing(), block.state, strict=False):
            programs.write(variables, values)
        self.holder = block

    def values_of(self, block: _Block, part: int) -> list:
        """Return one part of a block's state, wherever its values are now."""
        if self.holder is not block or part == _NON_TRAINABLE:
            return block.state[part]
        return programs.read(self._changing()[part])

    def _changing(self) -> tuple[list, list]:
        return self.trainable, self.optimizer.variables

    def _epoch(self, which: str, state, settings, data, shifts, order):
        """Take all models over all batches of their rows and read the metrics."""
        training = which == "train"
        size = min(self.rows[which], order.shape[1])
        dropouts = self.dropouts if training else []
        step = self._train_step if training else self._test_step
        in_xla = self.xla and tf is not None and training  # a few large batches need no fusing
        one_step = programs.compiled(step, xla=True) if in_xla and dropouts else step

        def gather(rows, data, shifts):
            return [programs.take(data[0], rows + shifts), programs.take(data[1], rows)]

        def for_each(batch):
            if self.configurations == 1:
                return batch
            return [keras.ops.repeat(array, self.configurations, axis=0) for array in batch]

        def full_batches(state, settings, data, shifts, order):
            steps = order.shape[1] // size
            rows = keras.ops.reshape(order[:, : steps * size], (self.folds, steps, size))
            rows = keras.ops.transpose(rows, (1, 0, 2))
            row_size = sum(np.prod(array.shape[1:], dtype=int) for array in data)
            at_once = row_size * steps * size * self.folds <= _GATHERED_NUMBERS
            batches = gather(rows, data, shifts) if at_once else [rows]

            def body(index, state):
                batch = [array[index] for array in batches]
                batch = batch if at_once else gather(*batch, data, shifts)
                state, noise = self._draw(state, dropouts, size)
                return one_step(state, settings, *for_each(batch), noise)

            return programs.loop(steps, body, state)

        if in_xla and not dropouts:
            full_batches = programs.compiled(full_batches, xla=True)
        state = full_batches(state, settings, data, shifts, order)
        rest = order.shape[1] % size
        if rest:
            state, noise = self._draw(state, dropouts, rest)
            batch = for_each(gather(order[:, -rest:], data, shifts))
            state = step(state, settings, *batch, noise)
        return state, self._map(self._results, (state[2],))

    def _draw(self, state, dropouts: list[masked_dropout.ReadyDropout], rows: int):
        """Draw each dropout layer's noise and advance its seeds; one draw where all seeds agree."""
        changed, non_trainable, metrics = state
        non_trainable, noise = list(non_trainable), []
        places = {id(v): i for i, v in enumerate(self.model.non_trainable_variables)}
        for layer in dropouts:
            generator = layer.seed_generator.state
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

    def _train_step(self, state, settings, x, y, noise):
        changed, non_trainable, metrics = state
        trainable = changed[0] if changed else programs.tensors(self.trainable)
        stacked_noise = [] if self.shared_seeds else noise

        def learn(trainable, non_trainable, metrics, settings, x, y, own_noise):
            with _Settings(self.model, settings):
                for layer, values in zip(self.dropouts, own_noise or noise, strict=True):
                    layer.mask = layer.keeps(values)
                gradients, kept = programs.gradients(
                    lambda values: self._forward(values, non_trainable, metrics, x, y, True),
                    trainable,
                )
            return gradients, *kept

        parts = (trainable, non_trainable, metrics, settings, x, y, stacked_noise)
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

    def _test_step(self, state, settings, x, y, _):
        changed, non_trainable, metrics = state
        trainable = changed[0] if changed else programs.tensors(self.trainable)

        def measure(trainable, non_trainable, metrics, settings, x, y):
            with _Settings(self.model, settings):
                return self._forward(trainable, non_trainable, metrics, x, y, False)[1][1]

        parts = (trainable, non_trainable, metrics, settings, x, y)
        return changed, non_trainable, self._map(measure, parts)

    def _forward(self, trainable, non_trainable, metrics, x, y, training: bool):
        """Return one model's loss, and its other variables after a batch."""
        model = self.model
        parts = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
        pairs = [
            pair
            for variables, values in zip(parts, (trainable, non_trainable, metrics), strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            prediction = model(x, training=training)
            loss = model.compute_loss(x, y, prediction, None, training=training)
            model.metrics[0].update_state(loss, sample_weight=x.shape[0])  # the mean loss
            model.compute_metrics(x, y, prediction)
        return loss, tuple([scope.get_current_value(v) for v in part] for part in parts[1:])

    def _results(self, metrics) -> dict:
        pairs = list(zip(self.model.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(pairs):
            return self.model.get_metrics_result()

    def _update(self, gradients, settings) -> None:
        """Update all weights with the optimizer, each model at its own rate."""
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
        """Take Keras's step of Adam in one pass over the weights, by TensorFlow's kernel for it."""
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


def _settings_of(model: keras.Model) -> dict[str, float]:
    """Return a model's numbers that a stack holds for each model by itself."""
    optimizer, found = model.optimizer, {}
    if not isinstance(optimizer.get_config()["learning_rate"], dict):
        found["learning_rate"] = float(optimizer.learning_rate)
    if optimizer.weight_decay:
        found["weight_decay"] = float(optimizer.weight_decay)
    for name, (owner, attribute) in _slots(model).items():
        found[name] = float(getattr(owner, attribute))
    return found


def _slots(model: keras.Model) -> dict[str, tuple[Any, str]]:
    """Find the attributes of a model's layers that hold such a number."""
    found = {}
    for index, layer in enumerate(model.layers):
        owners = [layer] if isinstance(layer, _DROPOUTS) else []
        regularizers = [getattr(layer, f"{part}_regularizer", None) for part in ("kernel", "bias")]
        owners += [owner for owner in regularizers if type(owner) in _REGULARIZERS]
        for place, owner in enumerate(owners):
            for attribute in _SETTINGS:
                if getattr(owner, attribute, None):
                    found[f"{index} {place} {attribute}"] = (owner, attribute)
    return found


class _Settings:
    """Puts stacked numbers into a model's attributes while it is traced."""

    def __init__(self, model: keras.Model, settings: dict):
        self._slots, self._settings = _slots(model), settings

    def __enter__(self) -> None:
        self._old = {name: getattr(*slot) for name, slot in self._slots.items()}
        for name, slot in self._slots.items():
            setattr(*slot, self._settings[name])

    def __exit__(self, *_: Any) -> None:
        for name, slot in self._slots.items():
            setattr(*slot, self._old[name])


def _numpy(value: Any) -> np.ndarray:
    is_variable = isinstance(value, keras.Variable)
    return value.numpy() if is_variable else keras.ops.convert_to_numpy(value)

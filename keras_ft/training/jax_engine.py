"""Training with JAX on a mesh of devices: static shapes, one compiled step, nothing of TensorFlow in it.

The Keras variables hold the arrays between steps, so callbacks, saving and evaluation see them. A step takes them over
(their memory is used again for what it makes of them) and its results are put in their place.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import jax
import keras
import numpy as np
from jax.sharding import Mesh, NamedSharding

from keras_ft.batch import TokenBatch
from keras_ft.data.arrays import Arrays
from keras_ft.data.pipeline import AHEAD, batches
from keras_ft.data.plans import Layout, evaluation_steps
from keras_ft.data.steps import Step
from keras_ft.evaluation.evaluate import EXAMPLES_AT_ONCE, Answers, Batch, without_indices
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection
from keras_ft.tasks.base import Task
from keras_ft.training.jax_step import JaxStep, State, Tensors, divided, over_replicas, replicated
from keras_ft.training.loss_scale import FIRST
from keras_ft.training.optimizers.build import build_optimizer
from keras_ft.training.sharding import optimizer_shardings, shardings
from keras_ft.training.state_names import check_fits, named_state

Placed = tuple[dict[str, np.ndarray], Tensors]  # a batch on the host, and what is computed of it on the mesh


class JaxEngine:
    """Compiled once for each shape of a batch.

    Args:
        model: owns the weights.
        task: says what they compute.
        settings: the recipe's `train`.
        mesh: the devices, with the axes `data` and `model`.
    """

    layout: Layout = "rows"
    num_processes = 1
    most_shapes = 2  # and one each for validation and test: at most 4 compilations a run

    def __init__(self, model: TaskModel, task: Task, settings: TrainSection, mesh: Mesh):
        self.model, self.task, self.settings, self.mesh = model, task, settings, mesh
        self.num_replicas: int = mesh.shape["data"]
        self.optimizer: Any = None
        self._trainable, self._frozen = model.trainable_variables, model.non_trainable_variables
        self._of_model = {
            "trainable": shardings(self._trainable, mesh),
            "frozen": shardings(self._frozen, mesh),
        }
        _place(self._trainable, self._of_model["trainable"])
        _place(self._frozen, self._of_model["frozen"])
        self._forward = jax.jit(self._outputs)
        self._evaluation_steps: WeakKeyDictionary[Arrays, list[Step]] = WeakKeyDictionary()
        self.recompile_evaluation()

    def prepare(self, total_steps: int) -> None:
        """Build the optimizer and compile the step, once a batch comes."""
        self.optimizer = build_optimizer(self.settings, self.model, total_steps)
        self._loss_scale: dict[str, keras.Variable] = {}
        if self.settings.precision == "float16":
            self._loss_scale = {
                "loss_scale/scale": keras.Variable(FIRST, dtype="float32", trainable=False),
                "loss_scale/good_steps": keras.Variable(0, dtype="int32", trainable=False),
            }
        self._learning = {
            "trainable": self._trainable,
            "optimizer": self.optimizer.variables,
            "loss_scale": list(self._loss_scale.values()),
        }
        places = {
            "trainable": self._of_model["trainable"],
            "optimizer": optimizer_shardings(self.optimizer, self._trainable, self.mesh),
            "loss_scale": [replicated(self.mesh)] * len(self._loss_scale),
        }
        for name in ("optimizer", "loss_scale"):
            _place(self._learning[name], places[name])
        all_places = {**places, "frozen": self._of_model["frozen"]}
        all_variables = {**self._learning, "frozen": self._frozen}
        # A callback that sets weights leaves them on one device; what is loaded goes where it belongs.
        self._places = {
            id(variable): place
            for name, variables in all_variables.items()
            for variable, place in zip(variables, all_places[name], strict=True)
        }
        step = JaxStep(self.model, self.task, self.settings, self.optimizer, self.mesh, places)
        self.compiled = jax.jit(
            step,
            donate_argnums=0,
            in_shardings=(places, self._of_model["frozen"], divided(self.mesh), replicated(self.mesh)),
            out_shardings=(places, replicated(self.mesh)),
        )

    def batches(self, arrays: Arrays, steps: Sequence[Step], start: int) -> Iterator[Any]:
        """See `Engine.batches`; the next batch is on the mesh before this one is computed."""
        for _, tensors in self._on_mesh(arrays, steps, start, self.settings.accumulate):
            yield tensors

    def train_step(self, batch: Any, step: int, wishes: int = 0) -> dict[str, float]:
        """See `Engine.train_step`."""
        state, logs = self.compiled(*self.arguments(batch, step))
        for name, variables in self._learning.items():
            _assign(variables, state[name])
        return {name: float(value) for name, value in jax.device_get(logs).items()} | {"wishes": float(wishes)}

    def arguments(self, batch: Any, step: int) -> tuple[State, list[jax.Array], Tensors, np.int32]:
        """What the compiled step is called with; the arrays of the first are given up to it."""
        state = {name: _values(variables) for name, variables in self._learning.items()}
        return state, _values(self._frozen), batch, np.int32(step)

    def evaluated(self, arrays: Arrays, batch_size: int = EXAMPLES_AT_ONCE) -> Iterator[Batch]:
        """See `Evaluator.evaluated`."""
        if arrays not in self._evaluation_steps:
            found = evaluation_steps(
                self.layout, arrays.lengths, batch_size, self.num_replicas, self.task.tokens_at_once
            )
            self._evaluation_steps[arrays] = found
        steps = self._evaluation_steps[arrays]
        for host, tensors in self._on_mesh(arrays, steps):
            outputs = self._forward(_values(self._trainable), _values(self._frozen), tensors)
            said = jax.device_get(self._evaluation_loss(outputs, tensors))
            for number in range(self.num_replicas):
                yield self._answers(self._part(host, number), *self._part(said, number))

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """See `Engine.averaged_weights`."""
        averages = _values(self.optimizer.averages())
        latest = _values(self._trainable)
        try:
            _assign(self._trainable, averages or latest)
            yield
        finally:
            _assign(self._trainable, latest)

    def recompile_evaluation(self) -> None:
        """See `Engine.recompile_evaluation`; the forward pass stays as it is."""
        self._answers = Answers(self.task)
        self._evaluation_loss = jax.jit(self._losses)

    def state(self) -> dict[str, np.ndarray]:
        """Weights, optimizer variables and loss scale by name, whole and on the host."""
        return {name: np.array(variable._value) for name, variable in self._variables().items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Take what `state` gave, of this engine or of another."""
        variables = self._variables()
        check_fits(state, variables)
        for name, variable in variables.items():
            if name in state:
                value = np.array(state[name], variable.dtype)
                variable._value = jax.device_put(value, self._places[id(variable)])

    def _variables(self) -> dict[str, Any]:
        return named_state(self.model, self.optimizer, self._loss_scale)

    def _on_mesh(self, arrays: Arrays, steps: Sequence[Step], start: int = 0, accumulate: int = 1) -> Iterator[Placed]:
        dataset = batches(arrays, steps, start, range(self.num_replicas), accumulate)
        if self.num_replicas > 1:
            dataset = dataset.batch(self.num_replicas, drop_remainder=True).prefetch(AHEAD)
        place = divided(self.mesh)
        return _one_ahead((host, jax.device_put(without_indices(host), place)) for host in dataset.as_numpy_iterator())

    def _outputs(self, trainable: list[jax.Array], frozen: list[jax.Array], tensors: Tensors) -> Any:
        variables = [*self._trainable, *self._frozen]

        def of_replica(_: jax.Array, tensors: Tensors) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, [*trainable, *frozen], strict=True))):
                view = self.model.view(self.settings.precision)
                return self.task.forward(view, TokenBatch.from_tensors(tensors, self.task.axes))

        return over_replicas(of_replica, tensors, self.num_replicas)

    def _losses(self, outputs: Any, tensors: Tensors) -> Any:
        def of_replica(_: jax.Array, both: Any) -> Any:
            outputs, tensors = both
            batch = TokenBatch.from_tensors(tensors, self.task.axes)
            return self.task.kept(outputs, batch), *self.task.evaluation_loss(outputs, batch)

        return over_replicas(of_replica, (outputs, tensors), self.num_replicas)

    def _part(self, values: Any, number: int) -> Any:
        return jax.tree.map(lambda value: value[number], values) if self.num_replicas > 1 else values


def _values(variables: Iterable[Any]) -> list[jax.Array]:
    return [variable._value for variable in variables]


def _assign(variables: Iterable[Any], values: Iterable[jax.Array]) -> None:
    """By reference; `Variable.assign` would convert and check every value, milliseconds a step."""
    for variable, value in zip(variables, values, strict=True):
        variable._value = value


def _place(variables: Iterable[Any], places: Iterable[NamedSharding]) -> None:
    """Put variables where they belong, in memory of their own: a step gives it up, and others may hold the old."""
    for variable, place in zip(variables, places, strict=True):
        variable._value = jax.device_put(np.array(variable._value), place)


def _one_ahead(items: Iterable[Placed]) -> Iterator[Placed]:
    """The items, each after the next one was made."""
    waiting: list[Placed] = []
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting

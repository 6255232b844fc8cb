"""The optimizers by the names that a recipe gives them, with their options."""

from typing import Annotated, ClassVar

import keras
from pydantic import Field

from keras_ft.recipe import Section
from keras_ft.training.optimizers.fused_adam import FusedAdam, FusedAdamW
from keras_ft.training.optimizers.update import PerVariableUpdate

Momentum = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class OptimizerOptions(Section):
    """What a recipe can say about one optimizer, beside what is said for all of them.

    Attributes:
        kind: the optimizer's class, which takes the options as arguments.
        weight_decay: what the recipe's `train.weight_decay` is where it is not given.
        usual_learning_rate: where a search for a good one starts, if the recipe's default is no such place.
    """

    kind: ClassVar[type[keras.optimizers.Optimizer]]
    weight_decay: ClassVar[float] = 0.0
    usual_learning_rate: ClassVar[str | None] = None


class AdamOptions(OptimizerOptions):
    """`optimizer: {name: adam, …}` (Kingma and Ba 2015, arXiv:1412.6980)."""

    kind: ClassVar[type] = FusedAdam

    beta_1: Momentum = 0.9
    """Of the gradient's moving average."""
    beta_2: Momentum = 0.999
    """Of the squared gradient's."""
    epsilon: Positive = 1e-8
    """Added to the root of the latter."""


class AdamWOptions(AdamOptions):
    """`optimizer: {name: adamw, …}` (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    kind: ClassVar[type] = FusedAdamW
    weight_decay: ClassVar[float] = 0.01


@keras.saving.register_keras_serializable("keras_ft")
class SGD(PerVariableUpdate, keras.optimizers.SGD):
    """`keras.optimizers.SGD`."""


class SGDOptions(OptimizerOptions):
    """`optimizer: {name: sgd, …}` (Sutskever et al. 2013, PMLR 28)."""

    kind: ClassVar[type] = SGD
    usual_learning_rate: ClassVar[str | None] = "1.0e-2"

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """How much of the last step is made again."""
    nesterov: bool = False
    """Look ahead along it."""


@keras.saving.register_keras_serializable("keras_ft")
class Adafactor(PerVariableUpdate, keras.optimizers.Adafactor):
    """`keras.optimizers.Adafactor`."""


class AdafactorOptions(OptimizerOptions):
    """`optimizer: {name: adafactor, …}` (Shazeer and Stern 2018, arXiv:1804.04235)."""

    kind: ClassVar[type] = Adafactor
    usual_learning_rate: ClassVar[str | None] = "1.0e-3"

    beta_2_decay: Annotated[float, Field(lt=0)] = -0.8
    """The power of the step that the memory of the squared gradient falls with."""
    epsilon_1: Positive = 1e-16
    """Added to the squared gradient. With the paper's 1e-30 a row and a column without gradient make a NaN in Keras."""
    epsilon_2: Positive = 1e-3
    """The smallest size of a weight that its step is measured by."""
    clip_threshold: Positive = 1.0
    """The largest root mean square of an update, before the learning rate."""


@keras.saving.register_keras_serializable("keras_ft")
class Lamb(PerVariableUpdate, keras.optimizers.Lamb):
    """`keras.optimizers.Lamb`."""


class LambOptions(OptimizerOptions):
    """`optimizer: {name: lamb, …}` (You et al. 2020, arXiv:1904.00962)."""

    kind: ClassVar[type] = Lamb
    weight_decay: ClassVar[float] = 0.01
    usual_learning_rate: ClassVar[str | None] = "1.0e-3"

    beta_1: Momentum = 0.9
    """Of the gradient's moving average."""
    beta_2: Momentum = 0.999
    """Of the squared gradient's."""
    epsilon: Positive = 1e-6
    """Added to the root of the latter."""


@keras.saving.register_keras_serializable("keras_ft")
class Lion(PerVariableUpdate, keras.optimizers.Lion):
    """`keras.optimizers.Lion`."""


class LionOptions(OptimizerOptions):
    """`optimizer: {name: lion, …}` (Chen et al. 2023, arXiv:2302.06675)."""

    kind: ClassVar[type] = Lion
    weight_decay: ClassVar[float] = 0.01
    usual_learning_rate: ClassVar[str | None] = "1.0e-5"

    beta_1: Momentum = 0.9
    """Of the average that the step's sign is taken from."""
    beta_2: Momentum = 0.99
    """Of the average that is kept."""


OPTIMIZERS: dict[str, type[OptimizerOptions]] = {
    "adamw": AdamWOptions,
    "adam": AdamOptions,
    "sgd": SGDOptions,
    "adafactor": AdafactorOptions,
    "lamb": LambOptions,
    "lion": LionOptions,
}

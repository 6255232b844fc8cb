"""The optimizer that a recipe describes, built for a model."""

from typing import Any

import keras

from keras_ft.errors import RequestError
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import TrainSection, check_options, suggest
from keras_ft.training.callback_optimizer import make_adjustable
from keras_ft.training.optimizers.methods import OPTIMIZERS, OptimizerOptions
from keras_ft.training.optimizers.schedule import build_schedule

NOT_DECAYED = ("bias", "gamma", "beta")
EXTRA_RATE = 100.0  # of weights that begin at 0 and are worth whole nats; at an encoder's rate they hardly move


def build_optimizer(settings: TrainSection, model: TaskModel, total_steps: int) -> keras.optimizers.Optimizer:
    """An optimizer built for a model's trainable variables; biases, layer norms and extra weights do not decay.

    Args:
        settings: the recipe's `train`.
        model: whose variables are trained.
        total_steps: length of the schedule.

    Raises:
        RequestError: the optimizer's name or an option of it is unknown, it lacks a learning rate, or the warm-up is
            longer than the run.
    """
    options = _options(settings)
    optimizer = options.kind(
        learning_rate=build_schedule(settings, total_steps),
        weight_decay=options.weight_decay if settings.weight_decay is None else settings.weight_decay,
        use_ema=settings.ema is not None,
        ema_momentum=settings.ema or 0.0,
        **options.model_dump(),
    )
    variables = model.trainable_variables
    extra = _extra(model)
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if v.name in NOT_DECAYED or id(v) in extra])
    scales = rate_scales(model, variables, settings.layer_decay or 1.0)
    if set(scales) != {1.0}:
        optimizer.scale_rates(scales)
    optimizer.build(variables)
    make_adjustable(optimizer)
    return optimizer


def rate_scales(model: TaskModel, variables: list[Any], decay: float) -> list[float]:
    """What each variable's learning rate is multiplied by: 1 for the head, `decay` once more for every layer below.

    It is `EXTRA_RATE` for weights besides head and encoder, such as a random field's transitions.

    Howard and Ruder 2018, arXiv:1801.06146, section 3.2; Clark et al. 2020, arXiv:2003.10555, appendix B.
    """
    scales = {id(v): decay**depth for depth, group in enumerate(model.variables_by_depth()) for v in group}
    scales |= dict.fromkeys(_extra(model), EXTRA_RATE)
    return [scales.get(id(variable), 1.0) for variable in variables]


def _extra(model: TaskModel) -> set[int]:
    return {id(variable) for variable in (model.extra.variables if model.extra else ())}


def _options(settings: TrainSection) -> OptimizerOptions:
    name = settings.optimizer.name
    if name not in OPTIMIZERS:
        raise RequestError(f"unknown optimizer '{name}'; {suggest(name, list(OPTIMIZERS))}")
    usual = OPTIMIZERS[name].usual_learning_rate
    if usual and "learning_rate" not in settings.model_fields_set:
        raise RequestError(f"optimizer {name} needs a train.learning_rate of its own; {usual} is a usual start")
    return check_options(f"optimizer {name}", settings.optimizer.options, OPTIMIZERS[name])

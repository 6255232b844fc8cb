"""The engine that a recipe asks for."""

import keras
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.layers.task_model import TaskModel
from keras_ft.recipe import Recipe, RuntimeSection
from keras_ft.tasks.base import Task
from keras_ft.training.engine import Engine
from keras_ft.training.strategy import layout_of


def check_engine(runtime: RuntimeSection) -> None:
    """Refuse what this process cannot train on, before any work; to be called before TensorFlow is used.

    Raises:
        RequestError: Keras computes with another backend, or there are too few devices.
    """
    backend = keras.backend.backend()
    if backend != runtime.engine:
        raise RequestError(
            f"runtime.engine is {runtime.engine}, but Keras computes with {backend} in this process; set the "
            f"environment variable KERAS_BACKEND={runtime.engine} before importing keras or tensorflow, "
            "or use 'keras-ft train'"
        )
    if runtime.engine == "jax":
        from keras_ft.training.mesh import make_mesh

        try:
            tf.config.set_visible_devices([], "GPU")  # it would take all memory of the GPUs that JAX trains on
        except RuntimeError:
            raise RequestError(
                "TensorFlow holds the GPUs of this process already; train before anything else uses TensorFlow, "
                "or use 'keras-ft train'"
            ) from None
        make_mesh(runtime.strategy)


def make_engine(recipe: Recipe, model: TaskModel, task: Task, strategy: tf.distribute.Strategy) -> Engine:
    """An engine for a model, with the recipe's settings.

    Args:
        recipe: names the engine and its devices.
        model: owns the weights; made within the strategy's scope.
        task: says what they compute.
        strategy: of `build_strategy`.
    """
    if recipe.runtime.engine == "jax":
        from keras_ft.training.jax_engine import JaxEngine
        from keras_ft.training.mesh import make_mesh

        return JaxEngine(model, task, recipe.train, make_mesh(recipe.runtime.strategy))
    from keras_ft.training.tf_engine import TFEngine

    return TFEngine(model, task, recipe.train, strategy, layout_of(recipe.runtime, strategy))

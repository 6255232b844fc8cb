"""Which devices a run is divided among: a name in the recipe → a `tf.distribute` strategy."""

import os

import tensorflow as tf

from keras_ft.data.plans import Layout
from keras_ft.errors import RequestError
from keras_ft.recipe import RuntimeSection
from keras_ft.training.cluster import configured_cluster, connect

TPU_NAMES = ("TPU_NAME", "COLAB_TPU_ADDR")


def build_strategy(runtime: RuntimeSection) -> tf.distribute.Strategy:
    """The strategy that a recipe asks for; to be called before TensorFlow computes anything.

    Raises:
        RequestError: what it asks for is not there.
        ResumeError: the other workers did not come.
    """
    if runtime.engine == "jax":
        return _one()  # JAX has a mesh of its own; TensorFlow only feeds it
    name = _found() if runtime.strategy == "auto" else str(runtime.strategy)
    if runtime.layout == "ragged" and name == "tpu":
        raise RequestError("runtime.layout is ragged; a TPU wants static shapes, so it should be rows or auto")
    return {"one": _one, "mirrored": _mirrored, "multi_worker": connect, "tpu": _tpu}[name]()


def layout_of(runtime: RuntimeSection, strategy: tf.distribute.Strategy) -> Layout:
    """The layout that a recipe asks for; by default rows on a TPU, ragged elsewhere."""
    if runtime.layout != "auto":
        return runtime.layout
    return "rows" if isinstance(strategy, tf.distribute.TPUStrategy) else "ragged"


def own_replicas(strategy: tf.distribute.Strategy) -> list[int]:
    """The numbers, among all replicas, of those that this process computes."""

    @tf.function(autograph=False)
    def numbers() -> tuple[tf.Tensor, ...]:
        found = strategy.run(lambda: tf.identity(tf.distribute.get_replica_context().replica_id_in_sync_group))
        return strategy.experimental_local_results(found)

    return [int(number) for number in numbers()]


def _found() -> str:
    if configured_cluster() is not None:
        return "multi_worker"
    if any(os.environ.get(name) for name in TPU_NAMES):
        return "tpu"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"


def _one() -> tf.distribute.Strategy:
    return tf.distribute.get_strategy()  # which computes on the first GPU, if there is any


def _mirrored() -> tf.distribute.Strategy:
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RequestError(
            f"runtime.strategy: TensorFlow finds no TPU to train on ({reason}); set runtime.engine to jax, which "
            "drives today's TPUs, or runtime.strategy to one"
        ) from None

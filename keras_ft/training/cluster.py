"""The processes that train together under `multi_worker`: who they are, and how they find each other."""

import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from keras_ft.errors import RequestError, ResumeError

SECONDS_TO_GATHER = 300
# A dead machine says nothing: it is asked, and given up after three questions. A killed process is noticed at once.
SECONDS_BETWEEN_QUESTIONS = 5
SECONDS_TO_ANSWER = 8
EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


def configured_cluster(environment: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """What TF_CONFIG says, or None where it names no more than one worker.

    Raises:
        RequestError: it is damaged.
    """
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
        jobs, task = config.get("cluster") or {}, config.get("task") or {}
        sizes = {job: len(_addresses(job, addresses)) for job, addresses in jobs.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise RequestError(f"TF_CONFIG is damaged ({error}); it should be like {EXAMPLE}") from None
    if sum(sizes.values()) < 2:
        return None
    _check(sizes, task)
    return config


def _addresses(job: str, addresses: Any) -> list[str]:
    if not isinstance(addresses, list) or not all(isinstance(a, str) and ":" in a for a in addresses):
        raise ValueError(f"'{job}' should be a list of host:port")
    return addresses


def _check(sizes: dict[str, int], task: dict[str, Any]) -> None:
    if others := set(sizes) - {"chief", "worker"}:
        raise RequestError(f"TF_CONFIG names the job '{min(others)}'; keras-ft knows 'chief' and 'worker'")
    if sizes.get("chief", 0) > 1:
        raise RequestError(f"TF_CONFIG names {sizes['chief']} chiefs; there should be one, or none")
    kind, index = task.get("type"), task.get("index")
    if kind not in sizes:
        raise RequestError(f"TF_CONFIG: task.type is {kind!r}; it should be one of {sorted(sizes)}")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < sizes[kind]:
        raise RequestError(f"TF_CONFIG: task.index is {index!r}; there are {sizes[kind]} of {kind}, counted from 0")


def connect() -> tf.distribute.Strategy:
    """Meet the other workers; to be called before TensorFlow computes anything.

    Raises:
        RequestError: neither TF_CONFIG nor Slurm names several workers, or the port is taken.
        ResumeError: the others did not come in time.
    """
    resolver = _resolver()
    _ask_the_others_now_and_then()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except tf.errors.UnknownError as error:
        address = resolver.cluster_spec().task_address(resolver.task_type, resolver.task_id)
        reason = " ".join(str(error.message).split())[:200]
        raise RequestError(f"{address}, this worker's own address, cannot be listened at ({reason})") from None
    except (RuntimeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        if "program startup" in reason:
            raise RequestError(
                "runtime.strategy multi_worker must begin before TensorFlow computes anything in this process; train "
                "first, or use 'keras-ft train'"
            ) from None
        raise ResumeError(
            f"the other workers did not all come within {SECONDS_TO_GATHER} s ({reason}); "
            "start the same command on each, with addresses that they can reach"
        ) from None


def _resolver() -> tf.distribute.cluster_resolver.ClusterResolver:
    if configured_cluster() is not None:
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1) < 2:
        raise RequestError(
            "runtime.strategy is multi_worker, but neither TF_CONFIG nor Slurm names several workers; "
            f"start one process on each machine by srun, or set on each TF_CONFIG={EXAMPLE!r}"
        )
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
        resolver.cluster_spec()  # names this task
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise RequestError(f"what Slurm says of the workers is not understood ({error}); set TF_CONFIG") from None
    return resolver


def _ask_the_others_now_and_then() -> None:
    """Notice lost workers by TensorFlow's questions in Python, which end in an exception.

    The coordination service, its default, ends the whole process instead, without a word for the user.
    """
    from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
    from tensorflow.python.eager import context

    context.context().configure_coordination_service(service_type="")
    CollectiveAllReduceExtended._check_health_initial_timeout = SECONDS_TO_GATHER
    CollectiveAllReduceExtended._check_health_interval = SECONDS_BETWEEN_QUESTIONS
    CollectiveAllReduceExtended._check_health_timeout = SECONDS_TO_ANSWER

"""What TF_CONFIG says, and what is said of it."""

import json

import pytest
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.recipe import RuntimeSection
from keras_ft.training.cluster import configured_cluster
from keras_ft.training.strategy import build_strategy, layout_of, own_replicas

TWO = {"worker": ["a:1", "b:1"]}
NAMES = ("TF_CONFIG", "SLURM_STEP_NUM_TASKS", "TPU_NAME", "COLAB_TPU_ADDR")


def cluster(jobs, kind="worker", index=0) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_several_workers_are_a_cluster_and_one_is_none():
    assert configured_cluster(cluster(TWO)) is not None
    assert configured_cluster(cluster({"chief": ["a:1"], "worker": ["b:1"]}, "chief")) is not None
    assert configured_cluster(cluster({"worker": ["a:1"]})) is None
    assert configured_cluster({}) is None


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TF_CONFIG": '{"cluster": '}, "TF_CONFIG is damaged"),
        ({"TF_CONFIG": "[1, 2]"}, "TF_CONFIG is damaged"),
        (cluster({"worker": "a:1"}), "should be a list of host:port"),
        (cluster({"worker": ["a", "b"]}), "should be a list of host:port"),
        (cluster({**TWO, "ps": ["c:1"]}), "names the job 'ps'"),
        (cluster({**TWO, "chief": ["c:1", "d:1"]}), "names 2 chiefs"),
        (cluster(TWO, index=2), "task.index is 2; there are 2 of worker"),
        (cluster(TWO, index="0"), "task.index is '0'"),
        (cluster(TWO, kind="chief"), "task.type is 'chief'"),
    ],
)
def test_a_damaged_cluster_is_refused_with_what_is_wrong(environment, said):
    with pytest.raises(RequestError, match=said):
        configured_cluster(environment)


def test_what_is_not_there_is_refused_with_what_to_set():
    with pytest.raises(RequestError, match="start one process on each machine by srun, or set on each TF_CONFIG"):
        build_strategy(RuntimeSection(strategy="multi_worker"))
    with pytest.raises(RequestError, match="TensorFlow finds no TPU"):
        build_strategy(RuntimeSection(strategy="tpu"))
    with pytest.raises(RequestError, match="should be rows or auto"):
        build_strategy(RuntimeSection(strategy="tpu", layout="ragged"))


def test_one_device_is_chosen_where_nothing_else_is_there_and_is_ragged():
    strategy = build_strategy(RuntimeSection())
    if len(tf.config.list_physical_devices("GPU")) < 2:
        assert strategy.num_replicas_in_sync == 1
        assert own_replicas(strategy) == [0]
    assert layout_of(RuntimeSection(), strategy) == "ragged"
    assert layout_of(RuntimeSection(layout="rows"), strategy) == "rows"

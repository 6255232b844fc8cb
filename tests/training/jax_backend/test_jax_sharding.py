"""Where weights and the optimizer's variables lie, and the meshes that a recipe can ask for."""

import keras
import keras_hub
import pytest
from jax.sharding import PartitionSpec

from keras_ft.errors import RequestError
from keras_ft.training.mesh import make_mesh
from keras_ft.training.sharding import optimizer_shardings, partition, shardings

BACKBONES = [keras_hub.models.BertBackbone, keras_hub.models.GPT2Backbone]
OF_A_LAYER = {
    "query/kernel": (None, "model", None),
    "key/kernel": (None, "model", None),
    "value/kernel": (None, "model", None),
    "attention_output/kernel": ("model", None, None),
    "feedforward_intermediate_dense/kernel": (None, "model"),
    "feedforward_output_dense/kernel": ("model", None),
}


def make(kind, vocabulary=100, heads=4):
    return kind(vocabulary, 2, heads, 8 * heads, 16 * heads, max_sequence_length=16)


@pytest.mark.parametrize("kind", BACKBONES)
def test_every_kernel_of_a_layer_is_cut_along_the_right_axis(kind):
    backbone, mesh = make(kind), make_mesh({"data": 2, "model": 2})
    specs = {
        v.path: place.spec for v, place in zip(backbone.variables, shardings(backbone.variables, mesh), strict=True)
    }
    for layer in range(2):
        kernels = {path: spec for path, spec in specs.items() if f"layer_{layer}/" in path and path.endswith("kernel")}
        assert len(kernels) == len(OF_A_LAYER)
        for ending, spec in OF_A_LAYER.items():
            assert [tuple(found) for path, found in kernels.items() if path.endswith(ending)] == [spec]
    assert tuple(specs["token_embedding/embeddings"]) == ("model", None)
    whole = [path for path, spec in specs.items() if "layer_norm" in path or "position" in path or "state" in path]
    assert whole
    assert all(specs[path] == PartitionSpec() for path in whole)


def test_what_does_not_divide_evenly_lies_whole_on_every_device():
    mesh = make_mesh({"model": 4})
    assert partition("token_embedding/embeddings", (30522, 768), mesh) == PartitionSpec(None, "model")
    assert partition("token_embedding/embeddings", (30522, 30), mesh) == PartitionSpec()
    assert partition("layer/query/kernel", (96, 6, 16), mesh) == PartitionSpec()
    assert partition("layer/feedforward_output_dense/kernel", (1024, 256), mesh) == PartitionSpec("model", None)


@pytest.mark.parametrize("kind", [keras.optimizers.AdamW, keras.optimizers.Adafactor])
def test_the_optimizers_variables_lie_with_their_weights(kind):
    backbone, mesh = make(BACKBONES[0]), make_mesh({"data": 2, "model": 2})
    optimizer = kind(1e-3)
    optimizer.build(backbone.trainable_variables)
    of_weights = {v.path.replace("/", "_"): v for v in backbone.trainable_variables}
    cut = 0
    for slot, place in zip(
        optimizer.variables, optimizer_shardings(optimizer, backbone.trainable_variables, mesh), strict=True
    ):
        owner = of_weights.get(slot.path.partition("/")[2].rpartition("_")[0])
        if owner is not None and owner.shape == slot.shape:
            assert place.spec == partition(owner.path, owner.shape, mesh)
            cut += place.spec != PartitionSpec()
        else:
            assert place.spec == PartitionSpec()
    assert cut >= 2 * 6  # six kernels in each of two layers, for one slot at least


def test_a_mesh_takes_all_devices_one_or_those_it_names():
    assert dict(make_mesh("auto").shape) == {"data": 4, "model": 1}
    assert dict(make_mesh("one").shape) == {"data": 1, "model": 1}
    assert dict(make_mesh({"model": 2}).shape) == {"data": 1, "model": 2}
    with pytest.raises(RequestError, match=r"{data: 4, model: 2} needs 8 devices; JAX sees 4 \(cpu\)"):
        make_mesh({"data": 4, "model": 2})

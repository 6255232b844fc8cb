"""The variants of BERT against keras-hub's own backbones on padded rows."""

from dataclasses import replace

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.layers.encoder import encode, pool
from keras_ft.layers.encoder_view import encoder_variables_by_depth, encoder_view
from keras_ft.layers.random import Key
from keras_ft.layers.task_model import map_tensors
from keras_ft.presets.family import FAMILIES, family_of
from tests.layers.decoder_batches import LENGTHS, ROW_LENGTH, ROWS, ragged, rows

SIZES = {"num_heads": 4, "hidden_dim": 32, "intermediate_dim": 64, "max_sequence_length": 40, "dropout": 0.0}
NARROW = {**SIZES, "embedding_dim": 12}
MAKERS = {
    "roberta": lambda: keras_hub.models.RobertaBackbone(100, 3, **SIZES),
    "xlm-roberta": lambda: keras_hub.models.XLMRobertaBackbone(100, 3, **SIZES),
    "distilbert": lambda: keras_hub.models.DistilBertBackbone(100, 3, **SIZES),
    "albert": lambda: keras_hub.models.AlbertBackbone(100, 4, num_groups=2, num_inner_repetitions=2, **NARROW),
    "albert of one group": lambda: keras_hub.models.AlbertBackbone(100, 3, **NARROW),
    "electra": lambda: keras_hub.models.ElectraBackbone(100, 3, **NARROW),
    "electra without projection": lambda: keras_hub.models.ElectraBackbone(100, 3, **SIZES, embedding_dim=32),
}
SEGMENTS = np.random.default_rng(2).integers(0, 2, sum(LENGTHS)).astype("int32")


@pytest.fixture(scope="module", params=MAKERS)
def backbone(request):
    made = MAKERS[request.param]()
    assert family_of(made) is FAMILIES[request.param.split()[0]]
    rng = np.random.default_rng(0)
    for variable in made.variables:  # no zero biases: a bias in the wrong place must show
        variable.assign(variable.path.endswith("gamma") + rng.normal(0, 0.2, variable.shape))
    return made


def batch_in(layout: str) -> tuple[TokenBatch, np.ndarray]:
    """A batch with segments, and where each of its tokens lies."""
    if layout == "ragged":
        return replace(ragged(), segments=tf.constant(SEGMENTS)), np.arange(sum(LENGTHS))
    batch = rows()
    slots = np.concatenate([np.arange(start, start + length) for start, length in ROWS])
    segments = np.zeros(3 * ROW_LENGTH, "int32")
    segments[slots] = SEGMENTS
    return replace(batch, segments=tf.constant(segments)), slots


def view_of(backbone, **options):
    return encoder_view(backbone, family_of(backbone).arithmetic, **options)


def expected(backbone) -> tuple[np.ndarray, np.ndarray | None]:
    """keras-hub's hidden states of each token, and its pooled vectors."""
    batch, _ = batch_in("ragged")
    inputs = {
        "token_ids": batch.to_rows(batch.ids),
        "segment_ids": batch.to_rows(batch.segments),
        "padding_mask": tf.cast(batch.attention_mask()[:, 0, 0, :], tf.int32),
    }
    outputs = backbone({name: inputs[name] for name in backbone.input})
    pooled = outputs["pooled_output"].numpy() if isinstance(outputs, dict) else None
    hidden = outputs["sequence_output"] if isinstance(outputs, dict) else outputs
    return hidden.numpy()[batch.sequence, batch.positions], pooled


@pytest.mark.parametrize("layout", ["ragged", "rows"])
def test_padding_free_forward_equals_keras_hub_on_padded_rows(backbone, layout):
    hidden, pooled = expected(backbone)
    batch, slots = batch_in(layout)
    view = view_of(backbone)
    ours = encode(view, batch)
    np.testing.assert_allclose(ours.numpy()[slots], hidden, atol=1e-5)
    if pooled is not None:
        np.testing.assert_allclose(pool(view, batch, ours, "pooler"), pooled, atol=1e-5)


def test_every_weight_learns_also_where_activations_are_computed_again(backbone):
    batch, _ = batch_in("ragged")
    gradients = []
    for recompute in (False, True):
        with tf.GradientTape() as tape:
            view = view_of(backbone, recompute=recompute)
            hidden = encode(view, batch, 0.1, Key.from_seed(0))
            pooled = pool(view, batch, hidden, "first" if view.pooler_kernel is None else "pooler")
            loss = tf.reduce_sum(pooled**2)
        found = tape.gradient(loss, [v.value for v in backbone.trainable_variables])
        gradients.append([tf.convert_to_tensor(gradient).numpy() for gradient in found])
    for variable, kept, again in zip(backbone.trainable_variables, *gradients, strict=True):
        np.testing.assert_allclose(kept, again, rtol=1e-4, atol=1e-5, err_msg=variable.path)
        if not variable.path.endswith("key/bias"):  # shifts every score of a query alike: its true gradient is 0
            assert np.abs(kept).max() > 1e-6, variable.path


def test_each_weight_has_its_place_in_the_view_and_in_the_order_of_depth_once(backbone):
    stored = sorted(int(np.prod(variable.shape)) for variable in backbone.variables)
    by_depth = [variable for level in encoder_variables_by_depth(backbone) for variable in level]
    assert sorted(int(np.prod(variable.shape)) for variable in by_depth) == stored
    assert len({id(variable) for variable in by_depth}) == len(stored)
    seen = []
    map_tensors(view_of(backbone), lambda name, tensor: seen.append(int(np.prod(tensor.shape))))
    assert sum(seen) == sum(stored)  # shared layers too are there once, so an export stores them once

"""The loss of each next token on the TensorFlow engine, in every layout, against plain numpy."""

import keras_hub
import numpy as np
import pytest
from scipy.special import log_softmax

from keras_ft.data.pipeline import batches
from keras_ft.data.plans import evaluation_steps
from keras_ft.evaluation.evaluate import TFEvaluator, evaluate
from tests.tiny_language import tiny_gpt2
from tests.training.language_steps import TASK, learn, make_arrays, ragged, steps_in_rows, tf_engine


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    return make_arrays(tmp_path_factory.mktemp("arrays"))


def nats(arrays) -> np.ndarray:
    """Each predicted token's loss from padded keras-hub logits, `(examples, longest)`, NaN where none is predicted."""
    backbone = tiny_gpt2().backbone
    assert isinstance(backbone, keras_hub.models.GPT2Backbone)
    found = np.full((arrays.num_examples, 40), np.nan)
    for i in range(arrays.num_examples):
        batch = arrays.gather(np.array([i]))
        ids = batch["ids"][None]
        hidden = backbone({"token_ids": ids, "padding_mask": np.ones_like(ids)})
        scores = log_softmax(np.asarray(backbone.token_embedding(hidden, reverse=True))[0], axis=-1)
        for place in range(1, ids.shape[1]):
            if batch["segments"][place] == 1:
                found[i, place] = -scores[place - 1, ids[0, place]]
    return found


def test_perplexity_and_loss_are_those_of_padded_logits(arrays):
    expected = np.nanmean(nats(arrays))
    metrics = evaluate(TFEvaluator(tiny_gpt2(), TASK, "float32"), TASK, arrays, batch_size=7)
    assert metrics["loss"] == pytest.approx(expected, rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(np.exp(expected), rel=1e-5)


def test_losses_of_the_examples_are_their_own(arrays):
    expected = nats(arrays)
    for tensors, found in TFEvaluator(tiny_gpt2(), TASK, "float32").evaluated(arrays, 7):
        mine = expected[tensors["indices"]]
        np.testing.assert_allclose(found.losses, np.nanmean(mine, axis=1), rtol=1e-4)
        assert found.weights.tolist() == (~np.isnan(mine)).sum(axis=1).tolist()
        assert max(values.size for values in found.outputs.values()) <= len(mine)  # no logits on the host


@pytest.mark.parametrize(("layout", "accumulate"), [("rows", 1), ("rows", 4), ("ragged", 4)])
def test_a_layout_and_micro_batches_change_no_step(arrays, layout, accumulate):
    plain, other = tf_engine(), tf_engine(layout, accumulate=accumulate)
    steps = steps_in_rows(arrays, accumulate) if layout == "rows" else ragged(arrays, accumulate)
    expected, losses = learn(plain, arrays, ragged(arrays)), learn(other, arrays, steps)
    assert losses == pytest.approx(expected, abs=1e-4)
    assert expected[-1] < expected[0]
    for name, array in plain.state().items():
        np.testing.assert_allclose(other.state()[name], array, atol=1e-3, err_msg=name)


def test_an_evaluation_in_rows_measures_the_same(arrays):
    expected = evaluate(tf_engine(), TASK, arrays)
    assert evaluate(tf_engine("rows"), TASK, arrays) == pytest.approx(expected, rel=1e-5)


def test_examples_that_only_fill_up_do_not_count(arrays):
    from keras_ft.batch import TokenBatch

    steps = evaluation_steps("ragged", arrays.lengths[:3], 1, parts=2)  # two parts share three examples
    tensors = list(batches(arrays, steps, replicas=(0, 1)).as_numpy_iterator())
    counted = sum(float(TASK.divisor(TokenBatch.from_tensors(_without(part), {}))) for part in tensors)
    assert len(tensors) == 4
    assert counted == sum((arrays.gather(np.array([i]))["segments"][1:] == 1).sum() for i in range(3))


def _without(part: dict) -> dict:
    return {name: value for name, value in part.items() if name != "indices"}


def test_smoothing_is_a_part_of_every_token_of_the_vocabulary():
    from keras_ft.layers.next_token import smoothing_term
    from keras_ft.layers.token_cross_entropy import token_cross_entropy

    rng = np.random.default_rng(0)
    hidden, embedding = rng.normal(size=(5, 8)).astype("float32"), rng.normal(size=(11, 8)).astype("float32")
    labels = np.array([3, 0, 10, 3, 7])
    scores = log_softmax(hidden @ embedding.T, axis=-1)
    expected = -0.9 * scores[np.arange(5), labels] - 0.1 * scores.mean(axis=-1)
    found = token_cross_entropy(hidden, embedding, labels) + 0.1 * smoothing_term(hidden, embedding, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-5)

"""The loss of answers and the answers themselves on the TensorFlow engine, in both layouts, against padded logits."""

import numpy as np
import pytest
from scipy.special import log_softmax

from keras_ft.evaluation.evaluate import TFEvaluator
from tests.tiny_qa import best_of
from tests.training.span_qa_steps import TASK, learn, make_arrays, make_model, ragged, steps_in_rows, tf_engine


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    return make_arrays(tmp_path_factory.mktemp("arrays"))


@pytest.fixture(scope="module")
def expected(arrays) -> tuple[list[float], list[dict]]:
    """The loss and the best answer of each example, from keras-hub's own backbone, all windows padded to one length."""
    model, batch = make_model(), arrays.gather(np.arange(arrays.num_examples))
    lengths = np.bincount(batch["sequence"])
    padded = {name: np.zeros((len(lengths), 24), int) for name in ("ids", "segments", "token_weights")}
    for name, values in padded.items():
        values[batch["sequence"], batch["positions"]] = batch[name]
    names = {"token_ids": "ids", "segment_ids": "segments", "padding_mask": "token_weights"}
    outputs = model.backbone({name: padded[field] for name, field in names.items()})
    logits = np.asarray(model.head(outputs["sequence_output"]))  # (windows, 24, 2)
    places = np.stack([batch["start"], batch["end"]], axis=1)
    losses, windows = [[] for _ in range(arrays.num_examples)], [[] for _ in range(arrays.num_examples)]
    for number, example in enumerate(batch["example_of_sequence"]):
        mine = logits[number, : lengths[number]]
        scores = log_softmax(mine, axis=0)
        wanted = scores[batch["answer_start"][number], 0] + scores[batch["answer_end"][number], 1]
        losses[example].append(-wanted / 2)
        windows[example].append((mine, places[batch["sequence"] == number]))
    answers = [best_of(found, TASK.max_answer_length) for found in windows]
    return [float(np.mean(nats)) for nats in losses], answers


@pytest.mark.parametrize("layout", ["ragged", "rows"])
def test_losses_and_answers_are_those_of_padded_logits(arrays, expected, layout):
    losses, answers = expected
    evaluator = TFEvaluator(make_model(), TASK, "float32") if layout == "ragged" else tf_engine("rows")
    seen = []
    for tensors, found in evaluator.evaluated(arrays, 7):
        for place, row in enumerate(tensors["indices"]):
            assert found.losses[place] == pytest.approx(losses[row], rel=1e-4)
            assert found.answers["best_start"][place] == answers[row]["start"]
            assert found.answers["best_end"][place] == answers[row]["end"]
            for name in ("score", "no_answer_score"):
                assert found.answers[name][place] == pytest.approx(answers[row][name], rel=1e-4, abs=1e-5)
        seen += tensors["indices"].tolist()
        assert not found.outputs  # no logits on the host
    assert sorted(seen) == list(range(arrays.num_examples))


@pytest.fixture(scope="module")
def plain(arrays):
    """An engine after a few steps of whole batches without padding, and their losses."""
    engine = tf_engine()
    return engine, learn(engine, arrays, ragged(arrays))


@pytest.mark.parametrize("layout", ["rows", "ragged"])
def test_a_layout_and_micro_batches_change_no_step(arrays, plain, layout):
    engine, wanted = plain
    other = tf_engine(layout, accumulate=2)
    losses = learn(other, arrays, steps_in_rows(arrays, 2) if layout == "rows" else ragged(arrays, 2))
    assert losses == pytest.approx(wanted, abs=1e-4)
    assert wanted[-1] < wanted[0]
    for name, array in engine.state().items():
        np.testing.assert_allclose(other.state()[name], array, atol=1e-3, err_msg=name)

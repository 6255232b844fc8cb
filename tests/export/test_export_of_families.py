"""Runs over families of encoders with each kind of tokenizer: converted, read back, and exported."""

from pathlib import Path

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.errors import RequestError
from keras_ft.evaluation.predictor import Predictor
from keras_ft.export.convert import convert
from keras_ft.export.export import export
from keras_ft.layers.encoder import encode
from keras_ft.layers.encoder_view import encoder_view
from keras_ft.presets.family import FAMILIES
from keras_ft.presets.load import load_pretrained
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.tasks.model import load_model
from keras_ft.tasks.samples import HARD_TEXTS
from keras_ft.text.assemble import single
from tests.tiny import SENTENCES
from tests.tiny_encoders import write_run

TEXTS = [*HARD_TEXTS, *SENTENCES]
# keras-hub leaves the files of SentencePiece models open.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", params=["roberta", "xlm-roberta", "albert"])
def run(request, tmp_path_factory) -> Path:
    return write_run(request.param, tmp_path_factory.mktemp(request.param), "first")


def hidden_states(pretrained) -> np.ndarray:
    sequences = single(pretrained.tokenizer.tokenize(tf.constant(TEXTS)), pretrained.tokenizer.vocabulary, 32)
    batch = TokenBatch.from_lengths(sequences.ids.flat_values, sequences.ids.row_lengths())
    return encode(encoder_view(pretrained.backbone, pretrained.config), batch).numpy()


@pytest.mark.parametrize("to_format", ["keras-hub", "hugging-face"])
def test_what_is_written_is_the_same_model_again(run, tmp_path, to_format):
    ours = load_model(run / "model").pretrained
    notes = convert(run, tmp_path / "out", to_format).notes
    again = load_pretrained(str(tmp_path / "out"))
    assert (again.family, again.config, again.pooling) == (ours.family, ours.config, "first")
    assert again.tokenizer.fingerprint() == ours.tokenizer.fingerprint()
    assert np.array_equal(hidden_states(again), hidden_states(ours))
    assert any("the head is not in it" in note or "trust_remote_code" in note for note in notes)


def test_keras_hub_reads_its_preset_without_us_and_we_without_our_file(run, tmp_path):
    ours = load_model(run / "model").pretrained
    convert(run, tmp_path / "out", "keras-hub")
    (tmp_path / "out" / "keras_ft.json").unlink()
    plain = load_pretrained(str(tmp_path / "out"))
    family = FAMILIES[ours.family]
    assert plain.config == family.arithmetic
    assert plain.pooling == ("pooler" if family.has_pooler else "first")
    assert plain.tokenizer.vocabulary.begin_ids == ours.tokenizer.vocabulary.begin_ids
    assert plain.tokenizer.vocabulary.between_ids == ours.tokenizer.vocabulary.between_ids
    texts = tf.constant(["the weather is good, is it not?", "we like the film (very much)"])
    theirs = keras_hub.models.Tokenizer.from_preset(str(tmp_path / "out"))(texts)
    assert (
        plain.tokenizer.tokenize(texts).to_list()
        == ours.tokenizer.tokenize(texts).to_list()
        == [list(map(int, row)) for row in theirs]
    )


def test_transformers_electra_has_no_pooler(tmp_path):
    run = write_run("electra", tmp_path / "run", "pooler")
    with pytest.raises(RequestError, match="has no pooler, which this run uses; use --format keras-hub"):
        convert(run, tmp_path / "out", "hugging-face")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["roberta", "albert"])
def test_an_export_answers_as_the_python_model_does(family, tmp_path):
    run = write_run(family, tmp_path / "run", "mean")
    folder, _ = export(run, tmp_path / "models" / "tiny")
    python = Predictor(load_model(run / "model"))({"text": TEXTS})
    served = SessionModel(Path(folder)).predict("", {"text": np.array([text.encode() for text in TEXTS], object)})
    assert served["labels"].tolist() == python["labels"].tolist()
    np.testing.assert_allclose(served["scores"], python["scores"], atol=1e-5)
    weights = sum(4 * int(np.prod(variable.shape)) for variable in load_model(run / "model").model.variables)
    stored = sum(path.stat().st_size for path in (Path(folder) / "variables").glob("*data*"))
    assert stored < weights + 4000  # layers that share their weights have stored them once

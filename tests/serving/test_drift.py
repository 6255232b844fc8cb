import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_ft.serving.models.session_model import SessionModel
from keras_ft.serving.monitoring import answer_watch
from keras_ft.serving.monitoring.answer_values import answer_values
from keras_ft.serving.monitoring.drift import Drift, Window
from keras_ft.serving.monitoring.metrics import ServerMetrics
from keras_ft.serving.monitoring.psi import population_stability_index
from keras_ft.serving.monitoring.reference import REFERENCE_FILE, Bins, Reference
from keras_ft.serving.monitoring.text_values import TextCounter, characters_of, unknown_shares


def test_the_index_is_its_formula_and_that_of_another_package():
    p, q = [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert population_stability_index([10, 20, 70], [30, 30, 40], smoothing=0) == pytest.approx(expected)
    # strappy 0.0.3 (PyPI), tests/test_psi.py: six a and five b against five and four
    assert round(population_stability_index([6, 5], [5, 4], smoothing=0), 5) == 0.00041
    assert population_stability_index([6, 5], [60, 50], smoothing=0) == 0


def test_an_empty_bin_is_finite_and_one_that_both_lack_says_nothing():
    found = population_stability_index([50, 50, 0, 0], [50, 30, 20, 0])
    p, q = np.array([50.5, 50.5, 0.5]) / 101.5, np.array([50.5, 30.5, 20.5]) / 101.5
    assert found == pytest.approx(float(np.sum((q - p) * np.log(q / p))))
    assert found == population_stability_index([50, 50, 0], [50, 30, 20])


def test_without_drift_the_index_is_what_theory_says():
    """Yurdakul 2018: (bins − 1) · (1 / m + 1 / n) on average."""
    rng = np.random.default_rng(0)
    reference, served = rng.multinomial(2000, [0.1] * 10, 400), rng.multinomial(5000, [0.1] * 10, 400)
    found = [population_stability_index(*counts) for counts in zip(reference, served, strict=True)]
    assert np.mean(found) == pytest.approx(9 * (1 / 2000 + 1 / 5000), rel=0.1)


def test_bins_hold_about_as_many_each_and_edges_belong_below():
    bins = Bins.of_numbers(np.arange(1, 1001), grain=1)
    assert bins.counts.tolist() == [100] * 10
    assert bins.count([100, 101, -5, 9999, math.nan]).tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert len(Bins.of_numbers(np.arange(60.0)).counts) == 3  # 20 values a bin
    same = Bins.of_numbers(np.zeros(500))
    assert [int(same.count([it]).argmax()) for it in (-0.1, 0.0, 0.1)] == [0, 1, 2]


def test_scores_that_are_all_nearly_1_make_no_bins_of_noise():
    rng = np.random.default_rng(0)
    scores = 1 - rng.uniform(0, 1e-3, 2000)
    bins = Bins.of_numbers(scores, grain=0.01)
    rounded = bins.count(scores - 7e-4)  # as another dtype may move them
    assert population_stability_index(bins.counts, rounded) < 0.01
    assert population_stability_index(bins.counts, bins.count(scores - 0.05)) > 1


def test_rare_names_share_a_bin():
    names = [f"label{i}" for i in range(77) for _ in range(20 if i < 19 else 1)]
    bins = Bins.of_names(names)
    assert len(bins.names) == 19
    assert bins.counts.tolist() == [20] * 19 + [58]
    assert bins.count(["label0", "label76", "never seen", ""])[-1] == 3


def test_a_reference_reads_back_and_a_damaged_one_is_named(tmp_path):
    path = tmp_path / "reference.json"
    assert Reference.read(path) is None
    made = Reference("classification", ("text",), 3, {"label": Bins.of_names(["好", "b", "b"])})
    made.write(path)
    found = Reference.read(path)
    assert found.of["label"].names == ("b", "好")
    assert found.of["label"].counts.tolist() == [2, 1, 0]
    for damaged in ("", "[]", '{"of": {}}', path.read_text().replace("[2, 1, 0]", "[2, 1]")):
        path.write_text(damaged)
        with pytest.raises(ValueError, match=r"reference.json is damaged"):
            Reference.read(path)


def test_the_window_forgets_in_blocks_and_waits_for_enough():
    bins = Bins.of_names(["a"] * 60 + ["b"] * 60)
    window = Window(bins, block=100, blocks=3)
    window.add(["a"] * 100 + ["b"] * 99)
    assert math.isnan(window.psi)
    window.add(["b"])
    assert window.psi == pytest.approx(0, abs=1e-9)
    for _ in range(3):
        window.add(["b"] * 100)
    assert window.counts.tolist() == [0, 301, 0]
    assert window.psi > 0.25
    few = Window(Bins.of_names(["a"] * 30))
    few.add(["b"] * 5000)
    assert math.isnan(few.psi)


@pytest.mark.parametrize(
    ("task", "outputs", "label", "score"),
    [
        ("classification", {"label": [b"good", b""], "score": [0.9, 0.3]}, ["good", ""], [0.9, 0.3]),
        (
            "multilabel",
            {
                "labels": [[b"a", b"b"], [b"b", b"a"]],
                "scores": [[0.9, 0.8], [0.2, 0.1]],
                "predicted": [[True, True], [False, False]],
            },
            ["a", "b", ""],
            [0.9, 0.2],
        ),
        ("tagging", {"start": [[0, 4], [-1, -1]], "score": [[0.9, 0.8], [-1.0, -1.0]]}, ["2", "0"], [0.9, 0.8]),
        ("span_qa", {"start": [3, -1], "score": [0.7, 0.6]}, ["answered", "no answer"], [0.7, 0.6]),
        ("regression", {"score": [4.5, 1.0]}, None, [4.5, 1.0]),
        ("embedding", {"embedding": [[0.1], [0.2]]}, None, None),
    ],
)
def test_what_is_watched_of_each_tasks_answers(task, outputs, label, score):
    found = answer_values(
        task, {name: np.array(it, object if "label" in name else None) for name, it in outputs.items()}
    )
    assert found.get("label") == label
    assert score is None or found["score"].tolist() == score


GOOD, BAD, CHINESE = "great film", "awful film", "电影很差 很差 不喜欢 电影很差 今天天气不好"


def mixed(rng, count, bad=0.5):
    """Texts of a few lengths, some good and some bad, a few with words that the vocabulary lacks."""
    kinds = np.where(rng.random(count) < bad, BAD, GOOD)
    return [
        f"{kind} {'very ' * n}{'é€' * int(n == 3)}" for kind, n in zip(kinds, rng.integers(0, 4, count), strict=True)
    ]


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    """A tiny model's export whose reference is of 400 texts, by the functions that training uses."""
    from keras_ft.evaluation import reference
    from keras_ft.evaluation.predictor import Predictor
    from keras_ft.export.export import export
    from keras_ft.tasks.model import load_model

    folder = tmp_path_factory.mktemp("drift")
    run = folder / "run"
    shutil.copytree(tiny_run, run)
    trained, seen = load_model(run / "model"), reference.SeenAnswers("classification")
    texts = mixed(np.random.default_rng(0), 400)
    seen.add(Predictor(trained)({"text": texts}))
    bins = seen.bins() | reference.text_bins({"text": texts}, trained.pretrained.tokenizer)
    Reference("classification", ("text",), 400, bins).write(run / "model" / reference.FILE)
    model = SessionModel(Path(export(run, folder / "models" / "tiny")[0]))
    yield folder, model
    model.close()


@pytest.fixture
def served(exported):
    """A function that answers texts as a server would and counts them."""
    model, metrics = exported[1], ServerMetrics()
    folder = model.folder
    metrics.loaded("tiny", 1, 0.1, folder)

    def answer(texts, signature="serving_default"):
        for start in range(0, len(texts), 50):
            inputs = {"text": np.array([text.encode() for text in texts[start : start + 50]], object)}
            metrics.answered("tiny", 1, folder, signature, inputs, model.predict(signature, inputs))
        assert metrics.watch.flush()
        return metrics.watch.drifts()["tiny", 1].psi

    answer.metrics, answer.folder = metrics, folder
    yield answer
    metrics.close()


def test_answers_like_the_references_show_no_drift(served):
    found = served(mixed(np.random.default_rng(1), 1000))
    assert set(found) == {"label", "score", "characters", "unknown_tokens"}
    assert max(found.values()) < 0.1, found


def test_each_kind_of_drift_shows_where_it_is(served):
    assert all(math.isnan(it) for it in served(mixed(np.random.default_rng(1), 150)).values())
    found = served(mixed(np.random.default_rng(2), 1000, bad=0.95))
    assert found["label"] > 0.25 > 0.1 > found["unknown_tokens"]
    found = served([f"{BAD} " + "é " * 40] * 2500 + [f"{CHINESE} é € ü"] * 2500)
    assert found["characters"] > 1
    assert found["unknown_tokens"] > 0.25


def test_the_page_shows_drift_tokens_and_characters(served):
    texts = mixed(np.random.default_rng(3), 400)
    found = served(texts)
    page = served.metrics.render().decode()
    tokens, unknown = TextCounter.of(served.folder)([[text.encode()] for text in texts])
    assert f'keras_ft_tokens_total{{model_name="tiny"}} {float(tokens.sum())}' in page
    assert unknown.sum() > 0
    characters = sum(map(len, texts))
    assert f'keras_ft_text_characters_total{{model_name="tiny"}} {float(characters)}' in page
    line = f'keras_ft_drift_psi{{model_name="tiny",of="label",version="1"}} {found["label"]!r}'
    assert line in page
    assert 'keras_ft_drift_values{model_name="tiny",of="score",version="1"} 400.0' in page
    served.metrics.unloaded("tiny", 1)
    assert "keras_ft_drift_psi{" not in served.metrics.render().decode()
    assert not served.metrics.watch.drifts()


def test_other_signatures_and_versions_that_are_not_served_are_left_out(served):
    served(mixed(np.random.default_rng(1), 50))
    metrics, text = served.metrics, np.array([b"great film"], object)
    metrics.answered("tiny", 1, served.folder, "search", {"text": text, "k": np.array([1])}, {})
    metrics.answered("tiny", 1, served.folder, "pair", {"text": text, "other": text}, {})
    metrics.answered("tiny", 2, served.folder, "serving_default", {"text": text}, {})
    metrics.answered("wrong", 1, served.folder, "serving_default", {"text": text}, {})
    assert metrics.watch.flush()
    assert metrics.watch.drifts()["tiny", 1].windows["characters"].counts.sum() == 50
    assert set(metrics.watch.drifts()) == {("tiny", 1)}


def test_a_queue_that_is_full_drops_and_counts_and_never_waits(served, monkeypatch):
    monkeypatch.setattr(answer_watch, "MOST_BYTES", 10_000)
    text = np.array([b"x" * 20_000] * 3, object)
    served.metrics.answered("tiny", 1, served.folder, "serving_default", {"text": text}, {})
    page = served.metrics.render().decode()
    assert 'keras_ft_samples_dropped_total{model_name="tiny"} 3.0' in page
    assert 'keras_ft_text_characters_total{model_name="tiny"} 60000.0' in page


def test_of_a_huge_request_a_part_is_looked_at(served):
    text = np.array([b"great film" if i % 2 else b"a" for i in range(1200)], object)
    outputs = {"label": text, "score": np.full(1200, 0.9)}
    served.metrics.answered("tiny", 1, served.folder, "serving_default", {"text": text}, outputs)
    assert served.metrics.watch.flush()
    page = served.metrics.render().decode()
    assert 'keras_ft_samples_dropped_total{model_name="tiny"} 800.0' in page
    assert 'keras_ft_drift_values{model_name="tiny",of="label",version="1"} 400.0' in page
    assert 'keras_ft_tokens_total{model_name="tiny"} 600.0' in page


def test_what_cannot_be_counted_is_told_once_and_counting_goes_on(served, capsys):
    metrics, text = served.metrics, np.array([b"great film"], object)
    for _ in range(3):
        metrics.answered("tiny", 1, served.folder, "serving_default", {"text": text}, {})  # no outputs at all
        assert metrics.watch.flush()
    assert capsys.readouterr().err.count("are not counted: KeyError") == 1
    served(mixed(np.random.default_rng(1), 50))
    assert metrics.watch.drifts()["tiny", 1].windows["label"].counts.sum() == 50


def test_an_export_without_reference_or_tokenizer_is_served_all_the_same(served, tmp_path, capsys):
    metrics, text = served.metrics, np.array([b"great film", b"\xff"], object)
    (tmp_path / "assets.extra").mkdir()
    metrics.loaded("bare", 1, 0.1, tmp_path)
    metrics.answered("bare", 1, tmp_path, "serving_default", {"text": text}, {"label": text})
    assert metrics.watch.flush()
    assert ("bare", 1) not in metrics.watch.drifts()
    (tmp_path / REFERENCE_FILE).write_text("{")
    metrics.loaded("bare", 2, 0.1, tmp_path)
    metrics.answered("bare", 2, tmp_path, "serving_default", {"text": text}, {"label": text})
    assert metrics.watch.flush()
    assert "reference.json is damaged" in capsys.readouterr().err
    assert 'keras_ft_text_characters_total{model_name="bare"} 22.0' in metrics.render().decode()


def test_unknown_tokens_are_counted_by_row_over_all_its_texts(served):
    rows = [[b"great film", b"\xe2\x82\xac"], [b"", b""], [b"film"]]
    tokens, unknown = TextCounter.of(served.folder)(rows)
    assert tokens.tolist() == [3, 0, 1]
    assert unknown.tolist() == [1, 0, 0]
    np.testing.assert_allclose(unknown_shares(tokens, unknown), [1 / 3, 0, 0])
    assert [characters_of(row) for row in rows] == [11, 0, 4]


def test_memory_is_that_of_the_bins_whatever_comes():
    drift = Drift(Reference("classification", ("text",), 100, {"label": Bins.of_names(["a", "b"] * 50)}))
    size = sum(window._ring.nbytes for window in drift.windows.values())
    for i in range(3000):
        drift.add({"label": [f"never seen {i}"], "made up": [1.0]})
    assert sum(window._ring.nbytes for window in drift.windows.values()) == size
    assert drift.windows.keys() == {"label"}


def test_training_leaves_the_reference_of_its_validation_and_export_carries_it(tiny_run, exported):
    found = json.loads((tiny_run / "model" / "reference.json").read_text())
    assert (found["task"], found["inputs"], found["examples"]) == ("classification", ["text"], 12)
    predicted = np.load(tiny_run / "predictions" / "validation.npz")
    counts = dict(zip(found["of"]["label"]["names"], found["of"]["label"]["counts"], strict=False))
    assert counts == {name: int((predicted["predicted"] == i).sum()) for i, name in enumerate(("bad", "good"))}
    assert {name: sum(bins["counts"]) for name, bins in found["of"].items()} == dict.fromkeys(
        ("label", "score", "characters", "unknown_tokens"), 12
    )
    folder = exported[0]
    copied = (folder / "run" / "model" / "reference.json").read_text()
    assert (folder / "models" / "tiny" / "1" / REFERENCE_FILE).read_text() == copied

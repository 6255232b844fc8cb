"""The figures are seqeval's."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from keras_ft.tasks.entity_rows import join_tokens
from keras_ft.tasks.tag_schemes import entities_of
from keras_ft.tasks.tagging_metrics import TaggingMetrics, compare, counts, snapped

LABELS = ["A", "B"]
TOKENS = ["EU", "U.N.", "don't", "1996-08-30", "北京", "，", "x"]


def as_answers(spans: list[list[tuple[int, int, str]]]) -> dict[str, np.ndarray]:
    """Padded, as a model answers."""
    width = max(map(len, spans), default=0) + 1
    filler = (-1, -1, "")
    table = [[*row, *[filler] * (width - len(row))] for row in spans]
    start, end = (np.array([[span[k] for span in row] for row in table], np.int32) for k in (0, 1))
    return {"start": start, "end": end, "label": np.array([[span[2].encode() for span in row] for row in table])}


@st.composite
def tagged_texts(draw):
    """For some texts: their tokens, the right tags, and the tag of every piece of each token that a model gives."""
    tags = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])
    texts = []
    for _ in range(draw(st.integers(1, 3))):
        tokens = draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6))
        right = draw(st.lists(tags, min_size=len(tokens), max_size=len(tokens)))
        pieces = [draw(st.lists(tags, min_size=1, max_size=min(3, len(token)))) for token in tokens]
        texts.append((tokens, right, pieces))
    return texts


@settings(max_examples=80, deadline=None)
@given(tagged_texts())
def test_precision_recall_and_f1_are_seqevals_on_the_tags_of_each_words_first_piece(texts):
    gold_tags, predicted_tags, spans, entities, words = [], [], [], [], []
    for tokens, right, pieces in texts:
        _, starts = join_tokens(tokens)
        places = [(start, start + len(token)) for start, token in zip(starts, tokens, strict=True)]
        found = entities_of(right, "x")
        gold_tags.append(written(len(tokens), found))
        entities.append(json.dumps([(places[i][0], places[j - 1][1], label) for i, j, label in found]))
        words.append(json.dumps(places))
        flat = [(start + k, tag) for start, tags in zip(starts, pieces, strict=True) for k, tag in enumerate(tags)]
        flat_tags = written(
            len(flat), entities_of([tag for _, tag in flat], "x")
        )  # a model's tags are as BIO wants them
        model = entities_of(flat_tags, "x")
        spans.append([(flat[i][0], flat[j - 1][0] + 1, label) for i, j, label in model])
        firsts = np.cumsum([0, *(len(tags) for tags in pieces)])[:-1]
        predicted_tags.append([flat_tags[i] for i in firsts])
    metrics, targets = TaggingMetrics(LABELS), {"entities": entities, "words": words}
    answers = as_answers(spans)
    for i in range(len(texts)):  # in batches of one
        metrics.update({n: v[i : i + 1] for n, v in answers.items()}, {n: v[i : i + 1] for n, v in targets.items()})
    options = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    expected = [score(gold_tags, predicted_tags, **options) for score in (precision_score, recall_score, f1_score)]
    assert list(metrics.result().values()) == pytest.approx(expected)
    table = counts(compare(answers, targets), LABELS)
    if table["gold"].any() and table["predicted"].any():
        report = classification_report(gold_tags, predicted_tags, output_dict=True, **options)
        for number, label in enumerate(LABELS):
            assert report.get(label, {"support": 0})["support"] == table["gold"][:, number].sum()


def written(count: int, entities: list[tuple[int, int, str]]) -> list[str]:
    """BIO's tags of words."""
    tags = ["O"] * count
    for start, end, label in entities:
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags


def test_of_a_text_without_given_words_borders_are_compared_as_they_are():
    targets = {"entities": ['[[0, 4, "A"], [5, 9, "B"]]'], "words": [""]}
    (row,) = compare(as_answers([[(0, 4, "A"), (5, 8, "B")]]), targets)
    assert (row.hits, row.missed, row.wrong) == ([(0, 4, "A")], [(5, 9, "B")], [(5, 8, "B")])


def test_a_span_that_begins_within_a_word_does_not_reach_that_word():
    words = [(0, 4), (5, 9), (10, 12)]
    assert snapped([(0, 1, "A"), (2, 9, "A")], words) == [(0, 9, "A")]  # B- of the first piece, I- of the second word
    assert snapped([(2, 9, "A")], words) == []  # I- behind O is nothing
    assert snapped([(0, 1, "A"), (2, 9, "B")], words) == [(0, 4, "A")]


def test_nothing_found_and_nothing_there_are_zero():
    assert TaggingMetrics(LABELS).result() == {"precision": 0, "recall": 0, "f1": 0}

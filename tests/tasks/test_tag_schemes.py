import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from keras_ft.errors import RequestError
from keras_ft.tasks.tag_schemes import entities_of, forbidden, tag_names

SENTENCES = [  # one text in four schemes, with an entity beside another of its label
    (IOB2, "O B-A B-A I-A I-A O B-B B-A"),
    (IOB1, "O I-A B-A I-A I-A O I-B I-A"),
    (IOBES, "O S-A B-A I-A E-A O S-B S-A"),
    (BILOU, "O U-A B-A I-A L-A O U-B U-A"),
]


@pytest.mark.parametrize(("scheme", "tags"), SENTENCES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_scheme_says_the_same(scheme, tags):
    found = entities_of(tags.split(), "x")
    assert found == [(1, 2, "A"), (2, 5, "A"), (6, 7, "B"), (7, 8, "A")]
    reference = [entity.to_tuple()[1:] for entity in Entities([tags.split()], scheme).entities[0]]
    assert [(start, end, label) for label, start, end in reference] == found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), max_size=12))
def test_bio_that_is_as_it_should_be_is_read_as_seqeval_reads_it(tags):
    before = ["O", *tags]
    proper = all(not tag.startswith("I") or last[2:] == tag[2:] for last, tag in itertools.pairwise(before))
    if proper:
        reference = [entity.to_tuple() for entity in Entities([tags], IOB2).entities[0]]
        assert [(0, label, start, end) for start, end, label in entities_of(tags, "x")] == reference


@pytest.mark.parametrize("tag", ["PER", "B", "B-", "X-PER", "B_PER", "o", ""])
def test_a_tag_that_is_none_is_refused_with_its_place(tag):
    with pytest.raises(RequestError, match=r"a.conll line 7: tag 2 is '.*'; it should be O, or B- or I- and a label"):
        entities_of(["O", tag], "a.conll line 7")


def test_what_bio_forbids():
    names = tag_names(["A", "B"])
    assert names == ["O", "B-A", "I-A", "B-B", "I-B"]
    first, between = forbidden(2)
    assert [name for name, is_forbidden in zip(names, first, strict=True) if is_forbidden] == ["I-A", "I-B"]
    pairs = {(names[i], names[j]) for i, j in zip(*between.nonzero(), strict=True)}
    assert pairs == {(a, b) for a in names for b in ("I-A", "I-B") if a[2:] != b[2:]}

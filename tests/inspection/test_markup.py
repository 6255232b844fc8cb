"""What is taken for HTML, and what only looks like it."""

import pytest

from keras_ft.inspection.characters import look_at


@pytest.mark.parametrize(
    "texts",
    [
        ["<i love this>"],
        ["x <b and c> d"],
        ["x <b and c==d> e"],
        ["salt&pepper; ok"],
        ["if x <a", "b> c"],
        ['if x <a href="', '"> c'],
        ["a&b;", "R&D; AT&T; Q&A"],
        ["x <= b > c"],
    ],
)
def test_what_only_looks_like_markup_is_none(texts):
    assert look_at(texts).odd["markup"] == []


@pytest.mark.parametrize(
    "text",
    [
        "<b>",
        "</i>",
        "<br/>",
        "<BR />",
        "<a href='x.html' download>",
        '<td colspan = "2" nowrap>',
        "<img src=x />",
        "&amp;",
        "&frac12;",
        "&Eacute;",
        "&#39;",
        "&#X27;",
        "#39;",
    ],
)
def test_tags_and_entities_are_found_in_their_row(text):
    assert look_at(["if x <a", f"so {text} it is"]).odd["markup"] == [(1, 3)]

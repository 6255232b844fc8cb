"""Texts that the recipe cuts."""

from collections.abc import Iterator

from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import Finding, Place, counted, share
from keras_ft.inspection.survey import Survey

MANY = 0.05


@check()
def truncated(survey: Survey) -> Iterator[Finding]:
    """Texts longer than `data.max_length`."""
    limit = survey.cut_at
    if limit is None:
        return
    for name, split in survey.splits.items():
        cut = split.rows.length > limit
        count = int(cut.sum())
        if count:
            lost = int((split.rows.length[cut] - limit).sum())
            what = (
                f"{counted(count, 'text')} ({share(count, len(split))}) longer than data.max_length, {limit};"
                f" {share(lost, int(split.rows.length.sum()))} of all tokens are lost"
            )
            advice = _advice(limit, int(split.rows.length.max()), survey.positions)
            places = split.rows.places(cut)
            tokens = split.rows.length[cut]
            shown = [Place(p.where, f"{n:,} tokens") for p, n in zip(places, tokens, strict=False)]
            yield Finding(
                "truncated", "warning" if count >= MANY * len(split) else "note", name, count, what, advice, shown
            )


@check()
def beyond_positions(survey: Survey) -> Iterator[Finding]:
    """A `data.max_length` that the backbone cannot take."""
    if survey.max_length > survey.positions:
        what = f"data.max_length is {survey.max_length}; backbone {survey.backbone} has {survey.positions} positions"
        advice = f"set data.max_length to {survey.positions} or less"
        yield Finding("beyond_positions", "problem", "recipe", survey.max_length, what, advice)


def _advice(limit: int, longest: int, positions: int) -> str:
    if longest <= positions:
        return "raise data.max_length"
    split = f"split them: the backbone takes {positions} tokens"
    return f"raise data.max_length, or {split}" if limit < positions else split

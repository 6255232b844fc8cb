"""What a run does to its scores and a converted folder cannot do: it is told, and kept as numbers."""

from keras_ft.tasks.classification import Classification


def score_settings(task: Classification) -> dict[str, float | None]:
    """`temperature`, by which logits are divided, and `abstain_below`, the score below which no label is given."""
    return {"temperature": float(task.temperature), "abstain_below": task.score_threshold}


def score_notes(task: Classification, where: str) -> list[str]:
    """A line for each of the two that is in use.

    Args:
        task: of the run.
        where: the place of both numbers in the folder, with `{}` for the name.
    """
    settings, notes = score_settings(task), []
    temperature, below = settings["temperature"], settings["abstain_below"]
    if temperature != 1:
        notes.append(
            "scores of the converted model are of logits not divided by the temperature"
            f" {temperature:g}: divide them for the run's scores ({where.format('temperature')})"
        )
    if below is not None:
        notes.append(
            f"the converted model answers always; labels are withheld below {below:.7g} by keras_ft only"
            f" ({where.format('abstain_below')})"
        )
    return notes

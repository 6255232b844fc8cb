"""What a recipe's `data` names, split by split."""

from keras_ft.data.readers import Source, find_sources
from keras_ft.data.readers.plain_text import Division
from keras_ft.recipe import DataSection


def sources_of(data: DataSection, division: Division = "line") -> dict[str, list[Source]]:
    """What is read for `train`, and for `validation` and `test` where they have files of their own.

    Args:
        data: of the recipe.
        division: what a row of a `.txt` file is.

    Raises:
        RequestError: a file does not exist or is of an unknown kind.
    """
    names = {"train": data.train}
    if isinstance(data.validation, list):
        names["validation"] = data.validation
    if data.test:
        names["test"] = data.test
    return {split: find_sources(files, split, division) for split, files in names.items()}

"""What can be wrong with data; importing the package fills `registry.CHECKS`."""

from keras_ft.inspection.checks import (  # noqa: F401
    characters,
    duplicates,
    labels,
    languages,
    lengths,
    numbers,
    overlap,
    refused,
    tokenizer,
)
from keras_ft.inspection.checks.registry import checks_for as checks_for

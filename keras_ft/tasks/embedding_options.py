"""What a recipe may say about `embedding`, and what follows from the columns of its data."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from keras_ft.errors import RequestError
from keras_ft.recipe import Section

Kind = Literal["scored", "pairs", "triplets", "texts"]
"""What a row is: two texts and how similar they are, two that belong together, these and one that does not, a text."""
Loss = Literal["cosine", "ranking", "triplet", "simcse"]
Measure = Literal["similarity", "retrieval", "uniformity"]

COLUMNS: dict[Kind, str] = {
    "scored": "text_a, text_b and label",
    "pairs": "text_a and text_b",
    "triplets": "text_a, text_b and text_c",
    "texts": "text alone",
}
LOSSES: dict[Kind, tuple[Loss, ...]] = {  # the first is the default
    "scored": ("cosine",),
    "pairs": ("ranking",),
    "triplets": ("ranking", "triplet"),
    "texts": ("simcse",),
}
MEASURES: dict[Kind, Measure] = {
    "scored": "similarity",
    "pairs": "retrieval",
    "triplets": "retrieval",
    "texts": "uniformity",
}


class EmbeddingOptions(Section):
    """`task: {name: embedding, …}`."""

    pooling: Literal["mean", "first", "pooler"] = "mean"
    """The vector of a text: the mean over its tokens, its first token, or that through BERT's pooler."""
    normalize: bool = True
    """Whether the vectors that are served have length 1, so that their dot product is their cosine."""
    loss: Loss | None = None
    """`cosine`, `ranking`, `triplet` or `simcse`; by default the one for the columns of the training data."""
    scale: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 20.0
    """`ranking` and `simcse`: what cosines are multiplied by before the softmax, one over its temperature."""
    margin: Annotated[float, Field(ge=0.0, le=2.0)] = 0.2
    """`triplet`: by how much the positive's cosine should be larger than the negative's."""
    label_range: tuple[float, float] | None = None
    """`cosine`: the labels of texts that have nothing, and everything, in common; by default the least and the greatest
    of the training data."""
    measure: Measure | None = None
    """What validation and test measure: `similarity` (rows with `label`), `retrieval` (rows with `text_b`) or
    `uniformity`; by default what the training data allow. `simcse` can be measured on labelled pairs."""

    @model_validator(mode="after")
    def _settle(self) -> "EmbeddingOptions":
        if self.label_range and not self.label_range[0] < self.label_range[1]:
            raise ValueError("'label_range' should be two numbers, the lower one first")
        return self


def loss_for(kind: Kind, wanted: Loss | None) -> Loss:
    """The loss of training data of a kind.

    Raises:
        RequestError: the one that is wanted needs other data.
    """
    if wanted is None:
        return LOSSES[kind][0]
    if wanted not in LOSSES[kind]:
        needs = " or ".join(COLUMNS[other] for other, losses in LOSSES.items() if wanted in losses)
        raise RequestError(
            f"task embedding: loss {wanted} learns from rows with {needs}; those of data.train have {COLUMNS[kind]},"
            f" for which the loss can be {' or '.join(LOSSES[kind])}"
        )
    return wanted

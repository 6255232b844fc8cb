"""One label for two texts together: paraphrase, entailment, an answer's fitness for its question."""

from keras_ft.tasks.classification import Classification


class Pair(Classification):
    """Softmax over labels from one pooled vector of [CLS] a [SEP] b [SEP]; all else is classification."""

    name = "pair"
    text_columns = feature_columns = ("text_a", "text_b")

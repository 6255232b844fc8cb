"""Every view by the name of its task."""

from keras_ft.evaluation.classification import ClassificationView
from keras_ft.evaluation.embedding import EmbeddingView
from keras_ft.evaluation.language import LanguageView
from keras_ft.evaluation.multilabel import MultilabelView
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.regression import RegressionView
from keras_ft.evaluation.relation import RelationView
from keras_ft.evaluation.span_qa import SpanQAView
from keras_ft.evaluation.tagging import TaggingView
from keras_ft.evaluation.view import View

VIEWS: dict[str, type[View]] = {
    "classification": ClassificationView,
    "pair": ClassificationView,
    "multilabel": MultilabelView,
    "regression": RegressionView,
    "span_qa": SpanQAView,
    "relation": RelationView,
    "embedding": EmbeddingView,
    "tagging": TaggingView,
    "causal_lm": LanguageView,
    "text2text": LanguageView,
    "dialogue": LanguageView,
}


def view_of(predictions: Predictions) -> View:
    """How predictions are to be looked at."""
    return VIEWS[predictions.task["name"]](predictions.task)

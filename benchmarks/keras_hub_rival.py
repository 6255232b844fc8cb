"""keras-hub's own BERT classifier on the weights that keras_ft uses, set up as its users would at their best."""

from collections.abc import Callable

import keras_hub
import numpy as np
import tensorflow as tf

from keras_ft.presets.pretrained import BACKBONE_KEYS, Pretrained

SEQUENCE_LENGTH = 128


def text_classifier(
    pretrained: Pretrained, dropout: float, activation: str | None = None
) -> keras_hub.models.BertTextClassifier:
    """A two-class classifier with its preprocessor, under Keras' dtype policy of the moment.

    Args:
        pretrained: gives weights and vocabulary.
        dropout: of the backbone and of the head.
        activation: of the head; None for logits.
    """
    arguments = {key: getattr(pretrained.backbone, key) for key in BACKBONE_KEYS}
    backbone = keras_hub.models.BertBackbone(**arguments, dropout=dropout)
    backbone.set_weights(pretrained.backbone.get_weights())
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=pretrained.tokenizer.vocabulary.tokens, lowercase=pretrained.tokenizer.lowercase
    )
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=SEQUENCE_LENGTH)
    return keras_hub.models.BertTextClassifier(
        backbone, num_classes=2, preprocessor=preprocessor, activation=activation, dropout=dropout
    )


def serving_function(classifier: keras_hub.models.BertTextClassifier, xla: bool) -> Callable[[list[str]], np.ndarray]:
    """Texts → what the classifier says, `(texts, 2)`: preprocessor and model in one compiled graph.

    Args:
        classifier: with a preprocessor.
        xla: whether the model within the graph is compiled by XLA, which takes no strings.
    """
    model = tf.function(lambda inputs: classifier(inputs, training=False), jit_compile=xla)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(texts: tf.Tensor) -> tf.Tensor:
        return model(classifier.preprocessor(texts))

    return lambda texts: answer(tf.constant(texts)).numpy()

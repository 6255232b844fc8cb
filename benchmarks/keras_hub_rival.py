"""keras-hub's own BERT classifier on the weights that keras_ft uses, set up as its users would at their best."""

from pathlib import Path

import keras_hub
import tensorflow as tf

from keras_ft.presets.family import BERT
from keras_ft.presets.pretrained import Pretrained
from keras_ft.tasks.model import TrainedModel

SEQUENCE_LENGTH = 128


def text_classifier(pretrained: Pretrained, dropout: float, num_classes: int) -> keras_hub.models.BertTextClassifier:
    """A classifier with its preprocessor, under Keras' dtype policy of the moment; it returns logits.

    Args:
        pretrained: gives weights and vocabulary.
        dropout: of the backbone and of the head.
        num_classes: width of the head.
    """
    arguments = {key: getattr(pretrained.backbone, key) for key in BERT.keys}
    backbone = keras_hub.models.BertBackbone(**arguments, dropout=dropout)
    backbone.set_weights(pretrained.backbone.get_weights())
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=pretrained.tokenizer.vocabulary.tokens, lowercase=pretrained.tokenizer.lowercase
    )
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=SEQUENCE_LENGTH)
    return keras_hub.models.BertTextClassifier(
        backbone, num_classes=num_classes, preprocessor=preprocessor, dropout=dropout
    )


def export_classifier(trained: TrainedModel, labels: list[str], folder: Path, xla: bool) -> Path:
    """A SavedModel of preprocessor and model in one graph, strings in, label and score out.

    Args:
        trained: gives the weights.
        labels: names of the head's outputs.
        folder: to be written.
        xla: whether the model within the graph is compiled by XLA, which takes no strings.
    """
    classifier = text_classifier(trained.pretrained, dropout=0.0, num_classes=len(labels))
    classifier.output_dense.set_weights(trained.model.head.get_weights())
    module = tf.Module()
    module.owned = [variable.value for variable in classifier.variables]
    model = tf.function(lambda inputs: classifier(inputs, training=False), jit_compile=xla)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.nn.softmax(model(classifier.preprocessor(text)))
        label = tf.gather(tf.constant(labels), tf.argmax(scores, axis=-1))
        return {"label": label, "score": tf.reduce_max(scores, axis=-1)}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": answer})
    return folder

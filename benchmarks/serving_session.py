"""A SavedModel on its turn to answer texts, through a Session as in TF Serving; `serving.py` runs it.

python benchmarks/serving_session.py VERSION_FOLDER TEXTS.jsonl
"""

import sys
from pathlib import Path

import numpy as np
from texts import read_file
from turns import Labelled, answer_texts

from keras_ft.serving.models.session_model import SessionModel


class Classifier:
    """Texts → labels and scores."""

    def __init__(self, version: Path):
        self.served = SessionModel(version)

    def __call__(self, texts: list[str]) -> Labelled:
        """Answer a batch."""
        columns = {"text": np.array([text.encode() for text in texts], object)}
        answers = self.served.predict("serving_default", columns)
        return [label.decode() for label in answers["label"]], answers["score"]


if __name__ == "__main__":
    version, path = sys.argv[1:]
    answer_texts([row["text"] for row in read_file(Path(path))], Classifier(Path(version)))

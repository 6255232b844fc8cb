"""Which of two runs' texts are nearer to their references, by counts a text that resamples can add up."""

from collections.abc import Sequence

import numpy as np

from keras_ft.evaluation.comparison.significance import Difference, differences
from keras_ft.evaluation.text_metrics import ROUGE, bleu, chrf, rouge_scores
from keras_ft.evaluation.texts import GeneratedText
from keras_ft.evaluation.view import Columns

Records = Sequence[GeneratedText]


class TextScores:
    """BLEU, chrF and ROUGE of texts where each counts with a weight.

    Args:
        references: of all texts; they say what BLEU counts.
    """

    metric_columns = ("bleu", "chrf", *ROUGE)
    target_columns = ()

    def __init__(self, references: Sequence[str]):
        self._references = references
        self._sums = {"bleu": bleu(references), "chrf": chrf()}

    def columns(self, texts: Sequence[str]) -> Columns:
        """What the metrics are made of: counts of matches `(texts, counts)`, and ROUGE itself `(texts,)`."""
        counts = {
            name: np.array(metric._extract_corpus_statistics(texts, [self._references]), np.float64)
            for name, metric in self._sums.items()
        }
        return {**counts, **rouge_scores(texts, self._references)}

    def right(self, columns: Columns) -> dict[str, np.ndarray]:
        """No metric of texts is a share of right answers."""
        return {}

    def weighted_metrics(self, columns: Columns, weights: np.ndarray) -> dict[str, np.ndarray]:
        """The metrics where text i counts `weights[r, i]` times: `(resamples,)` each."""
        found = {name: weights @ columns[name] / weights.sum(axis=1) for name in ROUGE}
        for name, metric in self._sums.items():
            sums = (weights @ columns[name]).tolist()  # (resamples, counts)
            found[name] = np.array([metric._compute_score_from_stats(counts).score for counts in sums])
        return {name: found[name] for name in self.metric_columns}


def comparable(first: Records, second: Records) -> bool:
    """Whether both hold texts for the same references in the same order."""
    wanted = [[(record.row, record.reference) for record in records] for records in (first, second)]
    return bool(first) and wanted[0] == wanted[1] and any(reference.strip() for _, reference in wanted[0])


def text_differences(first: Records, second: Records) -> list[Difference]:
    """BLEU, chrF and ROUGE of the second run's texts against the first's, tested on the same rows (Koehn 2004).

    Args:
        first, second: `comparable`.
    """
    scores = TextScores([record.reference for record in first])
    ours, theirs = (scores.columns([record.text for record in records]) for records in (first, second))
    return differences(scores, ours, theirs)

"""An answer that is a part of a text, or none (extractive question answering)."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.layers.encoder import encode
from keras_ft.layers.random import Key
from keras_ft.layers.sequence_softmax import log_normalizer
from keras_ft.layers.task_model import ModelView
from keras_ft.presets.family import ENCODERS
from keras_ft.tasks.answer_match import chinese_share
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.base import Metrics
from keras_ft.tasks.confidence import FEWEST_EXAMPLES
from keras_ft.tasks.span_qa_metrics import SpanQAMetrics, choose_threshold, cut_out, matches
from keras_ft.tasks.span_qa_options import Normalization, SpanQAOptions
from keras_ft.tasks.span_qa_rows import read_answers
from keras_ft.tasks.span_qa_targets import answer_places
from keras_ft.text.assemble import Sequences
from keras_ft.text.load import Tokenizer
from keras_ft.text.question_context import question_context

Tensor = Any
SHORTEST = 6  # tokens: four that frame the two, one of a question, one of a context
NEVER_CUT = 1 << 30  # tokens
CHARACTERS = 200  # of an answer that is kept for reports


class SpanQA(AnsweringTask):
    """The first and the last token of an answer, each a softmax over the tokens of a window (Devlin et al. 2019).

    A context longer than `max_length` is read in several overlapping windows, each behind the whole question; [CLS]
    stands for no answer. The best span of all windows is the answer, unless none is better by more than a threshold.

    Args:
        max_length: the most tokens of a window, with the question and special tokens.
        stride, max_question_length, max_answer_length: as in the recipe.
        no_answer_threshold: answers are empty where `no_answer_score` is above it; None: they never are; `auto` until
            `calibrate` found it.
        normalization: how answers are compared.
    """

    name = "span_qa"
    Options = SpanQAOptions
    text_columns = feature_columns = ("question", "context")
    target_columns = ("answers",)
    file_columns = ("question", "context", "answers", "is_impossible")
    optional_columns = ("is_impossible",)
    kept_texts = ("context", "answers")
    several_sequences = True
    output_axes = {"logits": "token"}  # noqa: RUF012
    families = ENCODERS
    axes = {  # noqa: RUF012
        "start": "token",
        "end": "token",
        "answer_start": "sequence",
        "answer_end": "sequence",
    }
    tokens_at_once = 8192
    main_metric = "f1"
    num_outputs = 2

    def __init__(
        self,
        max_length: int,
        stride: int = 128,
        max_question_length: int = 64,
        max_answer_length: int = 30,
        no_answer_threshold: float | Literal["auto"] | None = None,
        normalization: Normalization = "squad",
    ):
        self.max_length, self.stride = max_length, stride
        self.max_question_length, self.max_answer_length = max_question_length, max_answer_length
        self.no_answer_threshold = no_answer_threshold
        self.normalization: Normalization = normalization

    @classmethod
    def from_data(
        cls, chunks: Iterable[Rows], options: SpanQAOptions, default_pooling: str | None, max_length: int
    ) -> "SpanQA":
        """A task that knows whether there are questions without an answer, and how answers are to be compared."""
        if max_length < SHORTEST:
            raise RequestError(f"data.max_length is {max_length}; task span_qa needs {SHORTEST} at least")
        answered = unanswered = chinese = characters = 0
        for rows in chunks:
            texts = [answers["text"] for answers in rows.columns["answers"]]
            answered += sum(map(bool, texts))
            unanswered += len(texts) - sum(map(bool, texts))
            share = chinese_share([text for found in texts for text in found])
            chinese, characters = chinese + share[0], characters + share[1]
        if not answered:
            raise RequestError("task span_qa: no row of the training data has an answer; at least one is needed")
        wish, normalization = options.no_answer_threshold, options.normalization
        threshold = None if wish == "never" or (wish == "auto" and not unanswered) else wish
        if normalization == "auto":
            normalization = "cmrc" if 2 * chinese > characters else "squad"
        return cls(
            max_length,
            options.stride,
            options.max_question_length,
            options.max_answer_length,
            threshold,
            normalization,
        )

    @classmethod
    def read_row(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """`question`, `context` and `answers`, which are checked."""
        return {
            "question": values["question"],
            "context": values["context"],
            "answers": read_answers(values, where),
        }

    @classmethod
    def cut_at(cls, options: SpanQAOptions, max_length: int) -> int | None:
        """Contexts are never cut."""
        return NEVER_CUT

    @classmethod
    def strata(cls, rows: Rows) -> list[str]:
        """Whether there is an answer."""
        return ["answer" if answers["text"] else "no answer" for answers in rows.columns["answers"]]

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "max_length": self.max_length,
            "stride": self.stride,
            "max_question_length": self.max_question_length,
            "max_answer_length": self.max_answer_length,
            "no_answer_threshold": self.no_answer_threshold,
            "normalization": self.normalization,
        }

    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """Nothing along examples."""
        return {}

    def aligned_targets(self, rows: Rows, chunk: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`answer_start`, `answer_end` `(sequences,)`: see `answer_places`. Of several answers the first is learned."""
        first = [
            (answers["answer_start"][0], answers["answer_start"][0] + len(answers["text"][0]))
            if answers["text"]
            else (0, 0)
            for answers in rows.columns["answers"]
        ]
        start, end = answer_places(np.array(first).reshape(-1, 2), chunk)
        return {"answer_start": start, "answer_end": end}

    def texts_to_keep(self, rows: Rows) -> dict[str, list[str]]:
        """`context`, and the texts of the `answers` as a JSON list."""
        answers = [json.dumps(found["text"], ensure_ascii=False) for found in rows.columns["answers"]]
        return {"context": rows.columns["context"], "answers": answers}

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """[CLS] question [SEP] window of the context [SEP], as many as the context needs."""
        return question_context(
            tokenizer.tokenize(columns["question"]),
            tokenizer.tokenize_with_offsets(columns["context"]),
            tokenizer.vocabulary,
            self.max_length,
            self.max_question_length,
            self.stride,
        )

    def forward(self, view: ModelView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> dict:
        """`logits`: `(tokens, 2)` float32, of the first and of the last token of the answer."""
        return {"logits": view.head(encode(view.backbone, batch, rate, key))}

    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Cross-entropy in nats over the tokens of each window, the mean of both ends: `(sequences,)`."""
        logits = outputs["logits"]
        normalizer = log_normalizer(logits, batch)  # (sequences, 2)
        wanted = [
            ops.take(logits[:, number], batch.first_token + batch.features[name], axis=0)
            for number, name in enumerate(("answer_start", "answer_end"))
        ]
        losses = ops.mean(normalizer - ops.stack(wanted, axis=1), axis=1)
        weights = batch.weights_of_sequences()
        return ops.where(weights > 0, losses, 0.0), weights

    def evaluation_loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """The mean over the windows of each example, `(examples,)`."""
        losses, weights = self.loss(outputs, batch)
        counts = batch.sum_of_examples(weights)
        return batch.sum_of_examples(losses * weights) / ops.maximum(counts, 1.0), batch.example_weights

    def divisor(self, batch: TokenBatch) -> Tensor:
        """The number of windows; those of examples that only fill up do not count."""
        return ops.sum(batch.weights_of_sequences())

    def metrics(self) -> Metrics:
        """Exact match and F1, where answers may be empty also apart for questions with and without an answer."""
        return SpanQAMetrics(self.normalization, self.no_answer_threshold is not None)

    def answer(
        self,
        outputs: dict[str, Tensor],
        batch: TokenBatch,
        texts: dict[str, Tensor],
        top_k: int | None = None,
    ) -> dict[str, Tensor]:
        """The best span of all windows, `(examples,)` each.

        Returns:
            `answer`, the text; `start`, `end` in code points of the context, −1 where the answer is empty; `score`, the
            probability that the model gives the best span in its window, also where it is withheld;
            `no_answer_score`, see `BestSpan`. In an evaluation no `answer`, but `best_start` and `best_end`, which are
            those of spans that are withheld, too.
        """
        import tensorflow as tf

        from keras_ft.tasks.best_span import best_span

        place, end_place = batch.features["start"], batch.features["end"]
        best = best_span(outputs["logits"], place >= 0, batch, self.max_answer_length)
        start = tf.where(best.found, tf.gather(place, best.first), -1)
        end = tf.where(best.found, tf.gather(end_place, best.last), -1)
        given = best.found
        if self._threshold is not None:
            given &= best.no_answer_score <= self._threshold
        answers = {
            "start": tf.where(given, start, -1),
            "end": tf.where(given, end, -1),
            "score": best.score,
            "no_answer_score": best.no_answer_score,
        }
        if not texts:
            return {**answers, "best_start": start, "best_end": end}
        valid = tf.strings.unicode_transcode(texts["context"], "UTF-8", "UTF-8", errors="replace")
        begin, length = tf.where(given, start, 0), tf.where(given, end - start, 0)
        return {"answer": tf.strings.substr(valid, begin, length, unit="UTF8_CHAR"), **answers}

    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, Any],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Of each example `exact_match`, `f1`, `answerable`, `start`, `end`, both scores, `loss`, and for people the
        texts `answer` and `gold`, which may be cut."""
        found = matches(self.normalization, answers, targets)
        wanted = [json.loads(texts) for texts in targets["answers"]]
        return {
            "exact_match": np.array([match.exact for match in found], np.float32),
            "f1": np.array([match.f1 for match in found], np.float32),
            "answerable": np.array([bool(texts) for texts in wanted]),
            "start": answers["start"].astype(np.int32),
            "end": answers["end"].astype(np.int32),
            "score": answers["score"].astype(np.float32),
            "no_answer_score": answers["no_answer_score"].astype(np.float32),
            "loss": losses.astype(np.float32),
            "answer": np.array([text[:CHARACTERS] for text in cut_out(answers, targets)]),
            "gold": np.array([" | ".join(dict.fromkeys(texts))[:CHARACTERS] for texts in wanted]),
        }

    @property
    def wants_calibration(self) -> bool:
        """Whether the threshold is still to be found."""
        return self.no_answer_threshold == "auto"

    def calibrate(
        self, outputs: dict[str, np.ndarray], targets: dict[str, Any], tell: Callable[[str], None]
    ) -> dict[str, float]:
        """Find the threshold above which empty answers give the best F1.

        Returns:
            `examples`, `no_answer_threshold`, and with it `f1` and `left_empty`, the share of empty answers.
        """
        answerable = np.array([texts != "[]" for texts in targets["answers"]])
        if len(answerable) < FEWEST_EXAMPLES or answerable.all() or not answerable.any():
            self.no_answer_threshold = 0.0
            tell(
                f"No-answer threshold 0: {len(answerable):,} validation examples, {int(answerable.sum()):,} of which"
                f" have an answer, do not tell it ({FEWEST_EXAMPLES} are needed, some of either kind)"
            )
            return {"examples": len(answerable), "no_answer_threshold": 0.0}
        f1 = np.array([match.f1 for match in matches(self.normalization, outputs, targets, "best_")])
        chosen = choose_threshold(outputs["no_answer_score"], f1, (~answerable).astype(np.float64))
        self.no_answer_threshold = chosen.score
        tell(
            f"No-answer threshold {chosen.score:.4g}: validation F1 {chosen.f1:.3f}, {chosen.empty:.1%} of the answers"
            f" are left empty ({np.mean(~answerable):.1%} of the questions have none)"
        )
        return {
            "examples": len(answerable),
            "no_answer_threshold": chosen.score,
            "f1": chosen.f1,
            "left_empty": chosen.empty,
        }

    @property
    def _threshold(self) -> float | None:
        return 0.0 if self.no_answer_threshold == "auto" else self.no_answer_threshold

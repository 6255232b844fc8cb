"""What models answer, a class a task."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Classification:
    """The class of a text, of a pair or of a relation.

    Attributes:
        label, score: the best, and its probability.
        labels, scores: the best few, best first.
        truncated: whether the text was longer than the model reads.
    """

    label: str
    score: float
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    truncated: bool


@dataclass(frozen=True)
class Multilabel:
    """The labels of a text.

    Attributes:
        predicted: those over their thresholds, best first.
        labels, scores: the best few, over their thresholds or not, best first.
        truncated: whether the text was longer than the model reads.
    """

    predicted: tuple[str, ...]
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    truncated: bool


@dataclass(frozen=True)
class Entity:
    """A piece of a text with a label: characters `start` to `end` (Unicode code points), which are `text`."""

    start: int
    end: int
    label: str
    score: float
    text: str


@dataclass(frozen=True)
class Answer:
    """The answer to a question, empty where the context has none.

    Attributes:
        answer: the piece of the context.
        start, end: where it stands, in characters.
        score: the probability of the best span in its window.
        no_answer_score: how far "no answer" is above the best span, in logits.
        truncated: whether the context was longer than the model reads.
    """

    answer: str
    start: int
    end: int
    score: float
    no_answer_score: float
    truncated: bool


@dataclass(frozen=True)
class Hit:
    """A text that was found, its id, and its cosine with the query."""

    id: str
    text: str
    score: float


@dataclass(frozen=True)
class Score:
    """A number for a text or a pair, and whether that was longer than the model reads."""

    score: float
    truncated: bool


@dataclass(frozen=True)
class Written:
    """What a model wrote.

    Attributes:
        text: without the prompt.
        num_tokens: how many it has.
        score: log-probability in nats / `num_tokens` ** `length_penalty`.
        truncated: whether the prompt was longer than the model reads.
    """

    text: str
    num_tokens: int
    score: float
    truncated: bool

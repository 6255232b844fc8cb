"""What every task provides, to training, evaluation and export alike."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from keras_ft.batch import TokenBatch
from keras_ft.batch_fields import Axis
from keras_ft.data.arrays import Arrays, TokenArrays
from keras_ft.data.readers.plain_text import Division
from keras_ft.data.rows import Rows
from keras_ft.layers.random import Key
from keras_ft.layers.task_model import ModelView
from keras_ft.recipe import Section
from keras_ft.text.assemble import Sequences
from keras_ft.text.load import Tokenizer

Tensor = Any


class Metrics(Protocol):
    """Gathers answers over a data set, on the host; `names` are those of its `result`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics' names."""

    def update(self, answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
        """Add a batch: what was kept of the outputs and what `answer` gave, and the targets of the same examples."""

    def result(self) -> dict[str, float]:
        """Name → value over all examples so far."""


class Task(ABC):
    """A task is plain settings and what it learned from its data; weights come in as a view.

    `forward` and `loss` use keras.ops alone; `features` uses tensorflow alone. A task is rebuilt as
    `TASKS[name](**task.to_json())`. It is an `AnsweringTask` or a `LanguageTask`.

    Attributes:
        text_columns: what a request gives.
        feature_columns: what `features` reads in training.
        optional_columns: those that a row may leave empty; features are "" there.
        list_columns: those of them that hold a list of strings, `(examples, longest)`, "" where a list is shorter.
        target_columns: what `targets` reads.
        blank_columns: those of them in which an empty string is an answer too.
        file_columns: what a file may have, where `read_row` makes other columns of them; else those of features and
            targets.
        axes: the axis of each feature that a batch has in training: of the `targets`, of the `aligned_targets`, and of
            those features of `Sequences` that are kept.
        kept_texts: texts that are kept with each example for `metrics` and `calibrate`, as `texts_to_keep` gives them.
        several_sequences: whether an example may be several sequences.
        texts_apart: whether each text of a row is a sequence of its own.
        output_axes: of what is `kept` of the outputs, where it is not that of examples.
        families: of the backbones that it can be learned with.
        num_special: special tokens that are put round the texts of an example.
        tokens_at_once: that an evaluation computes at most, None where examples are what counts.
        main_metric: says which weights are the best.
    """

    name: ClassVar[str]
    Options: ClassVar[type[Section]]
    text_columns: ClassVar[tuple[str, ...]]
    feature_columns: ClassVar[tuple[str, ...]]
    optional_columns: ClassVar[tuple[str, ...]] = ()
    list_columns: ClassVar[tuple[str, ...]] = ()
    target_columns: ClassVar[tuple[str, ...]]
    blank_columns: ClassVar[tuple[str, ...]] = ()
    file_columns: ClassVar[tuple[str, ...]] = ()
    kept_texts: ClassVar[tuple[str, ...]] = ()
    several_sequences: ClassVar[bool] = False
    texts_apart: ClassVar[bool] = False
    output_axes: ClassVar[dict[str, Axis]] = {}
    families: ClassVar[tuple[str, ...]]
    axes: ClassVar[dict[str, Axis]]
    num_special: ClassVar[int] = 0
    tokens_at_once: ClassVar[int | None] = None
    main_metric: str

    @classmethod
    def variant(cls, settings: Mapping[str, Any]) -> "type[Task]":
        """The class for these options, or arguments of the constructor; here one serves all."""
        return cls

    @classmethod
    @abstractmethod
    def from_data(cls, chunks: Iterable[Rows], options: Any, default_pooling: str | None, max_length: int) -> "Task":
        """A new task that has seen the training rows, chunk by chunk (its labels)."""

    @classmethod
    def reads(cls) -> list[str]:
        """The columns that are looked for in files."""
        return list(dict.fromkeys(cls.file_columns or (*cls.feature_columns, *cls.target_columns)))

    @classmethod
    def read_row(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """A row of a file, by the columns that it `reads`, as the columns of features and targets; None where empty.

        Raises:
            RequestError: the row is malformed; `where` (file and line) is named.
        """
        return values

    @classmethod
    def added_tokens(cls, options: Any) -> list[str]:
        """Special tokens that the vocabulary must have."""
        return []

    @classmethod
    def division(cls, options: Any) -> Division:
        """What a row of a `.txt` file is."""
        return "line"

    @classmethod
    def cut_at(cls, options: Any, max_length: int) -> int | None:
        """The most tokens that are left of a row; None where rows are not cut but joined."""
        return max_length

    @classmethod
    def framing(cls, options: Any, max_length: int) -> "Task | None":
        """A task for `features` alone, which needs no data; None where [CLS] and [SEP] are all that is put round texts.

        Its `num_special` says how many tokens those are.
        """
        return None

    @classmethod
    def without_marks(cls, text: str) -> str:
        """A text of a feature column without what was written into it for the task."""
        return text

    @classmethod
    @abstractmethod
    def strata(cls, rows: Rows) -> Sequence[Hashable]:
        """For each row its answer, of which a validation set should hold as many in proportion.

        A label, a tuple of several, or a number; an empty string where there is nothing to go by.

        Raises:
            RequestError: a row has a wrong one.
        """

    @classmethod
    def groups(cls, strata: Sequence[Hashable], counts: np.ndarray) -> np.ndarray:
        """Which strata are one when rows are held out, `(strata,)`; here each is for itself.

        Args:
            strata: all different ones that occur.
            counts: `(strata,)` rows of each.
        """
        return np.arange(len(strata))

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""

    @property
    @abstractmethod
    def num_outputs(self) -> int | None:
        """Width of the head; None where the backbone's own outputs are the task's."""

    def head_inputs(self, hidden_dim: int) -> int:
        """Width of what the head is given."""
        return hidden_dim

    def extra_weights(self) -> dict[str, tuple[int, ...]]:
        """Trainable weights besides the head's kernel and bias: name → shape; they begin at 0. In a view: `extra`."""
        return {}

    def first_bias(self) -> np.ndarray | None:
        """What the head's bias begins at in a new run, `(num_outputs,)`; None for 0."""
        return None

    @property
    def contrasts_examples(self) -> bool:
        """Whether `loss` holds an example against the others of its micro-batch, whose size then matters."""
        return False

    def asset_files(self) -> dict[str, list[str]]:
        """Text files for an export's `assets/`: name → lines."""
        return {}

    @property
    def uses_pooler(self) -> bool:
        """Whether the backbone's pooler takes part."""
        return False

    def requests(self, columns: dict[str, list]) -> dict[str, list]:
        """Rows of feature columns as requests would have them, by text column."""
        return {name: columns[name] for name in self.text_columns}

    def hard_requests(self, texts: list[str]) -> dict[str, list]:
        """Requests made of texts that are hard to read, by text column; of columns that hold lists, one to three."""
        several = [texts[max(0, i - i % 3) : i + 1] for i in range(len(texts))]
        return {name: several if name in self.list_columns else texts for name in self.text_columns}

    def examples(self, arrays: TokenArrays) -> Arrays:
        """What is learned from at once, made of the tokenized rows of a split; here each is one example."""
        return arrays

    @abstractmethod
    def targets(self, rows: Rows) -> dict[str, np.ndarray]:
        """What is to be learned from each row, `(examples, …)` by name; raises RequestError for a wrong one."""

    def aligned_targets(self, rows: Rows, chunk: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is to be learned along tokens or sequences, by name, once the rows are tokenized.

        Args:
            rows: the examples.
            chunk: of them: `ids`, `lengths`, `segments` and all features, flat; `sequences` and `window_start` of tasks
                with several.
        """
        return {}

    def texts_to_keep(self, rows: Rows) -> dict[str, list[str]]:
        """A text of each row by the names in `kept_texts`."""
        return {}

    @abstractmethod
    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """Strings `(examples,)` by column → the sequences that the encoder sees."""

    @abstractmethod
    def forward(self, view: ModelView, batch: TokenBatch, rate: float = 0.0, key: Key | None = None) -> dict:
        """Outputs of the model by name; drop-out of `rate` where a key is given."""

    @abstractmethod
    def loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Per-item losses and weights, `(items,)` each; the step divides by `divisor`, not by their sum."""

    def evaluation_loss(self, outputs: dict[str, Tensor], batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """What validation and test call `loss`, and its weights, `(examples,)` each; here those of `loss`."""
        return self.loss(outputs, batch)

    @abstractmethod
    def divisor(self, batch: TokenBatch) -> Tensor:
        """The sum of the loss weights, known from the batch alone, before the forward pass."""

    def kept(self, outputs: dict[str, Tensor], batch: TokenBatch) -> dict[str, Tensor]:
        """What of the outputs an evaluation brings to the host, along `output_axes`; here all."""
        return outputs

    @abstractmethod
    def metrics(self) -> Metrics:
        """A fresh gatherer of this task's metrics."""

    @property
    def wants_calibration(self) -> bool:
        """Whether `calibrate` still has something to find."""
        return False

    def calibrate(
        self, outputs: dict[str, np.ndarray], targets: dict[str, np.ndarray], tell: Callable[[str], None]
    ) -> dict[str, float]:
        """Learn from the trained model's outputs on validation what `answer` needs; `to_json` holds it from now on.

        Args:
            outputs: what was kept of the outputs along examples, and the answers of fixed shape, by name, over all
                validation examples.
            targets: of the same examples, with the kept texts.
            tell: is given a line for the user.

        Returns:
            What was found, for `metrics.json`.
        """
        return {}

    @abstractmethod
    def record(
        self,
        outputs: dict[str, np.ndarray],
        answers: dict[str, np.ndarray],
        targets: dict[str, np.ndarray],
        losses: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """What is kept of each example for reports and comparisons: numbers by name, `(examples, …)`, on the host.

        Args:
            outputs: what was kept of the outputs.
            answers: what `answer` made of them; nothing where the task has none.
            targets: of the same examples.
            losses: `(examples,)`.
        """

    def whole_record(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is kept of a split, made of what `record` gave of all its examples in their order; here just that."""
        return columns

"""How many texts a server computes at once, and how many may wait: what `batching.config` says, and why."""

import re
from dataclasses import dataclass

from keras_ft.recipe import Recipe
from keras_ft.tasks.language import LanguageTask
from keras_ft.tasks.registry import task_class

TOKENS_AT_ONCE = {"float32": 4096, "bfloat16": 6144}
MOST_ROWS, MOST_WRITTEN_ROWS = 64, 8
QUEUED_BATCHES = 4  # a queue of a batch's time each, four deep, is what a client waits for gladly
FITTED_TO = re.compile(r"fitted to texts of up to (\d+) tokens in (\w+)(, some of them written)?")


@dataclass(frozen=True)
class BatchLimits:
    """Limits for texts of some length.

    Attributes:
        max_length: the most tokens of a text.
        dtype: the arithmetic: bfloat16 gets through half as many tokens again in the same time (on processors that
            have it; `benchmarks/results/serving.json`, batch 32).
        writes: whether texts are written, token by token, rather than read.
    """

    max_length: int
    dtype: str
    writes: bool = False

    @classmethod
    def of_recipe(cls, recipe: Recipe, dtype: str) -> "BatchLimits":
        """Those of a run's recipe, exported in a dtype."""
        return cls(recipe.data.max_length, dtype, issubclass(task_class(recipe.task.name), LanguageTask))

    @classmethod
    def read(cls, batching_config: str) -> "BatchLimits | None":
        """Those that a file of ours says it was fitted to."""
        found = FITTED_TO.search(batching_config)
        if found is None or found[2] not in TOKENS_AT_ONCE:
            return None
        return cls(int(found[1]), found[2], found[3] is not None)

    def with_those_of(self, other: "BatchLimits") -> "BatchLimits":
        """What both models can be served with."""
        dtype = "float32" if "float32" in (self.dtype, other.dtype) else self.dtype
        return BatchLimits(max(self.max_length, other.max_length), dtype, self.writes or other.writes)

    @property
    def rows(self) -> int:
        """Texts in a batch."""
        fitting = max(1, TOKENS_AT_ONCE[self.dtype] // self.max_length)
        in_eights = fitting // 8 * 8 or fitting
        return min(in_eights, MOST_WRITTEN_ROWS if self.writes else MOST_ROWS)

    def settings(self) -> dict[str, str]:
        """What the templates of a deployment call by these names."""
        why = (
            f"{self.rows} texts of that length are {self.rows * self.max_length} tokens, and past some"
            f" {TOKENS_AT_ONCE[self.dtype]} a\n# larger batch makes everybody wait longer and gets no more done"
        )
        if self.writes:
            why = (
                "each takes as many steps as the longest text of its batch,\n"
                f"# so {self.rows} at most wait for one another"
            )
        fitted_to = f"fitted to texts of up to {self.max_length} tokens in {self.dtype}"
        return {
            "fitted_to": fitted_to + ", some of them written" * self.writes,
            "why_rows": why,
            "rows": str(self.rows),
            "batches": str(QUEUED_BATCHES),
            "largest": str(QUEUED_BATCHES * self.rows),
            "waiting": str(max(1, QUEUED_BATCHES * self.rows // 8)),
        }

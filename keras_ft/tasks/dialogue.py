"""Replies in a dialogue of two speakers, who take turns."""

from dataclasses import replace
from typing import Annotated, Any, Literal

import tensorflow as tf
from pydantic import Field, model_validator

from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.tasks.language import LanguageTask, Tensor, end_id
from keras_ft.tasks.language_options import LanguageOptions
from keras_ft.text.assemble import Sequences
from keras_ft.text.load import Tokenizer
from keras_ft.text.slices import joined_slices

SHORTEST = 8  # tokens: room for a word of the user and a word of the bot, whatever is cut


class DialogueOptions(LanguageOptions):
    """`task: {name: dialogue, …}`."""

    reply: Literal["all", "last"] = "all"
    """Which turns of the bot are learned: all, or the last one, the others being read only."""
    user_token: Annotated[str, Field(min_length=1)] = "<|user|>"
    """The special token before a turn of the user."""
    bot_token: Annotated[str, Field(min_length=1)] = "<|bot|>"
    """The special token before a turn of the bot."""

    @model_validator(mode="after")
    def _settle(self) -> "DialogueOptions":
        if self.user_token == self.bot_token:
            raise ValueError(f"'user_token' and 'bot_token' should differ (both are '{self.user_token}')")
        return self


class Dialogue(LanguageTask):
    """Predicts the bot's turns. The last turn of a request is the user's; speakers alternate from there back.

    A turn is its speaker's token, its text, end-of-text.

    Args:
        reply, user_token, bot_token: as in the recipe.
        others: as `LanguageTask` has them.
    """

    name = "dialogue"
    Options = DialogueOptions
    text_columns = feature_columns = list_columns = ("turns",)

    def __init__(self, reply: str = "all", user_token: str = "<|user|>", bot_token: str = "<|bot|>", **others: Any):
        super().__init__(**others)
        if self.max_length < SHORTEST:
            raise RequestError(f"data.max_length is {self.max_length}; task dialogue needs {SHORTEST} tokens at least")
        self.reply, self.user_token, self.bot_token = reply, user_token, bot_token

    @classmethod
    def added_tokens(cls, options: DialogueOptions) -> list[str]:
        """The speakers', and those that the recipe names."""
        return [options.user_token, options.bot_token, *options.added_tokens]

    @classmethod
    def check(cls, rows: Rows) -> None:
        """Refuse a dialogue without a reply."""
        for i, turns in enumerate(rows.columns["turns"]):
            if sum(turn != "" for turn in turns) < 2:
                raise RequestError(
                    f"{rows.where(i)}: the dialogue has no reply; it should have two turns that are not empty at least"
                )

    def to_json(self) -> dict[str, Any]:
        """The constructor's arguments."""
        speakers = {"user_token": self.user_token, "bot_token": self.bot_token}
        return {"reply": self.reply, **speakers, **super().to_json()}

    def requests(self, columns: dict[str, list]) -> dict[str, list]:
        """The turns before the last reply."""
        spoken = [[turn for turn in turns if turn] for turns in columns["turns"]]
        return {"turns": [turns[: len(turns) - len(turns) % 2 - 1] for turns in spoken]}

    def references(self, columns: dict[str, list]) -> list[str]:
        """The last replies."""
        spoken = [[turn for turn in turns if turn] for turns in columns["turns"]]
        return [turns[len(turns) - len(turns) % 2 - 1] for turns in spoken]

    def features(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """The turns, the last being a reply: a turn of the user behind it is left out. Learned replies are segment 1.

        Where they are longer than `max_length`, the last reply gets what the others leave, but at least half; of the
        others whole turns are left out from the first on, and the user's last is cut on the left if it alone is too
        long. A reply that is too long loses its end.
        """
        turns = columns["turns"]  # (examples, turns)
        spoken = tf.not_equal(turns, "")
        unanswered = (_from_the_end(spoken) == 1) & (_count(spoken) % 2 == 1)[:, None]
        turns = tf.where(unanswered, "", turns)
        return _Turns(self, tokenizer, turns).framed(self.max_length)

    def prompts(self, tokenizer: Tokenizer, columns: dict[str, Tensor]) -> Sequences:
        """The turns, and the bot's token; cut as in training. The turns are `(examples, turns)`; "" is none."""
        turns = columns["turns"]
        begun = tf.concat([turns, tf.fill([tf.shape(turns)[0], 1], "")], 1)
        found = _Turns(self, tokenizer, begun, begins_reply=True).framed(self.prompt_room)
        return replace(found, segments=tf.zeros_like(found.segments))


class _Turns:
    """Turns as tokens, `(examples, turns)`; of absent ones there are none.

    Args:
        task: names the speakers.
        tokenizer: knows them.
        turns: strings `(examples, turns)`, "" where there is none; the last is the bot's.
        begins_reply: whether the last is a reply that only begins, with the bot's token.
    """

    def __init__(self, task: Dialogue, tokenizer: Tokenizer, turns: Tensor, begins_reply: bool = False):
        self.task, self.begins_reply = task, begins_reply
        known = tokenizer.vocabulary.token_to_id
        shape = tf.shape(turns)
        ids = tokenizer.tokenize(tf.reshape(turns, [-1])).with_row_splits_dtype(tf.int64)
        self.pool = tf.concat([[known[task.user_token], known[task.bot_token], end_id(tokenizer)], ids.values], 0)
        self.starts = tf.reshape(3 + ids.row_starts(), shape)
        self.lengths = tf.reshape(ids.row_lengths(), shape)
        self.spoken = tf.not_equal(turns, "")
        if begins_reply:
            is_last = tf.range(shape[1]) == shape[1] - 1
            self.spoken |= is_last[None, :]
        self.rank = _from_the_end(self.spoken)  # 1 the last, 2 the one before, …
        self.is_bot = self.rank % 2 == 1
        self.is_reply = self.rank == 1

    def framed(self, max_length: int) -> Sequences:
        """One sequence an example, of at most so many tokens."""
        given, reply_wants = self._given_to_reply(max_length)  # (examples,)
        room = (max_length - 1 - given)[:, None]  # of the turns before the bot's token
        needed = self._only(self.spoken & ~self.is_reply, self.lengths + 2)
        from_here = tf.cumsum(needed, axis=1, reverse=True)  # tokens from a turn up to the reply
        is_kept = self.is_reply | (self.spoken & ((from_here <= room) | (self.rank == 2)))
        kept = tf.where(self.rank == 2, tf.minimum(self.lengths, room - 2), self.lengths)
        kept = self._only(is_kept, tf.where(self.is_reply, tf.minimum(self.lengths, given[:, None]), kept))
        is_ended = is_kept & (~self.is_reply | ((given == reply_wants) & (reply_wants > 0))[:, None])
        lost = tf.reduce_any(self.spoken & (kept < self.lengths), axis=1) | (given < reply_wants)
        return Sequences(*self._joined(is_kept, kept, is_ended), lost)

    def _given_to_reply(self, max_length: int) -> tuple[Tensor, Tensor]:
        """Tokens that the reply's text and end get, and how many they want: what the others leave, at least half."""
        wants = 0 * self.lengths if self.begins_reply else self.lengths + 1
        wanted = tf.reduce_sum(self._only(self.is_reply, wants), 1)
        others = 1 + tf.reduce_sum(self._only(self.spoken & ~self.is_reply, self.lengths + 2), 1)
        half = tf.constant(max_length // 2, tf.int64)
        return tf.minimum(wanted, tf.maximum(half, max_length - others)), wanted

    def _joined(self, is_kept: Tensor, kept: Tensor, is_ended: Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Of each turn that is kept its speaker, so many tokens of its text, and its end if it has one."""
        learned = tf.cast(self.is_bot if self.task.reply == "all" else self.is_reply, tf.int32)
        passed = tf.where(self.is_reply, 0 * kept, self.lengths - kept)  # a reply loses its end, others their beginning
        starts = [tf.cast(self.is_bot, tf.int64), self.starts + passed, 2 + 0 * kept]
        counts = [tf.cast(is_kept, tf.int64), kept, tf.cast(is_ended, tf.int64)]
        segments = [0 * learned, learned, learned]
        flat = [tf.shape(kept)[0], 3 * tf.shape(kept)[1]]
        slices = (tf.reshape(tf.stack(parts, 2), flat) for parts in (starts, counts, segments))
        return joined_slices(self.pool, *slices)

    def _only(self, where: Tensor, values: Tensor) -> Tensor:
        return tf.where(where, values, tf.zeros_like(self.lengths))


def _from_the_end(spoken: Tensor) -> Tensor:
    """The number of each turn among those spoken, from 1 for the last: `(examples, turns)` int64; 0 of the absent."""
    spoken = tf.cast(spoken, tf.int64)
    return spoken * tf.cumsum(spoken, axis=1, reverse=True)


def _count(spoken: Tensor) -> Tensor:
    return tf.reduce_sum(tf.cast(spoken, tf.int64), axis=1)

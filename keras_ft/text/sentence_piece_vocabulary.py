"""The tokens of a SentencePiece tokenizer, in the order that its models know them, and how texts are framed."""

from collections.abc import Mapping
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.text.sentence_piece_model import CONTROL, UNKNOWN, Piece, SentencePieceModel
from keras_ft.text.vocabulary import Vocabulary

FRAMES = ("bert", "roberta")
ALBERT_ROLES = {"unk": "<unk>", "cls": "[CLS]", "sep": "[SEP]", "pad": "<pad>", "mask": "[MASK]"}
ROBERTA_ROLES = {"unk": "<unk>", "cls": "<s>", "sep": "</s>", "pad": "<pad>", "mask": "<mask>"}
_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")


class SentencePieceVocabulary(Vocabulary):
    """Pieces, each at the place that is its id, and the roles of the special ones.

    Args:
        model: whose pieces are the tokens.
        special_tokens: role → token, as `Vocabulary` takes it.
        frames_as: `bert`, [CLS] a [SEP] b [SEP] of segments 0 and 1, or `roberta`, <s> a </s> </s> b </s> of 0 alone.
        source: the file the tokens come from, for messages.

    Raises:
        RequestError: a piece stands twice, or no piece plays a role that is needed.
    """

    def __init__(
        self,
        model: SentencePieceModel,
        special_tokens: Mapping[str, str],
        frames_as: str,
        source: str | Path = "the SentencePiece model",
    ):
        super().__init__([piece.text for piece in model.pieces], special_tokens, source)
        if frames_as not in FRAMES:
            raise RequestError(f"{source}: frames_as is {frames_as!r}: it should be one of {', '.join(FRAMES)}")
        if model.pieces[self.unk_id].kind != UNKNOWN:
            raise RequestError(f"{source}: the unk token {self.tokens[self.unk_id]!r} is not the model's unknown piece")
        self.frames_as = frames_as

    @property
    def between_ids(self) -> list[int]:
        """The separator, which RoBERTa writes twice."""
        return [self.sep_id] * (2 if self.frames_as == "roberta" else 1)

    @property
    def second_segment(self) -> int:
        """RoBERTa does not tell the two texts of a pair apart."""
        return 0 if self.frames_as == "roberta" else 1


def in_fairseqs_order(model: SentencePieceModel, source: str | Path) -> SentencePieceModel:
    """XLM-R's model with its pieces where fairseq has them: four special ones, the others, and <mask>.

    Args:
        model: with <unk>, <s> and </s> as its first pieces, as the file has them.
        source: the file, for messages.

    Raises:
        RequestError: it begins otherwise.
    """
    if [piece.text for piece in model.pieces[:3]] != ["<unk>", "<s>", "</s>"]:
        raise RequestError(f"{source} should begin with the pieces <unk>, <s> and </s>, as XLM-R's does")
    special = [Piece(text, kind=UNKNOWN if text == "<unk>" else CONTROL) for text in _FAIRSEQ]
    return model.with_pieces([*special, *model.pieces[3:], Piece("<mask>", kind=CONTROL)])


def in_files_order(model: SentencePieceModel) -> SentencePieceModel:
    """The way back from `in_fairseqs_order`.

    Raises:
        RequestError: the pieces are not in fairseq's order.
    """
    texts = [piece.text for piece in model.pieces]
    if (*texts[:4], texts[-1]) != (*_FAIRSEQ, "<mask>"):
        raise RequestError(f"a vocabulary of XLM-R should begin with {' '.join(_FAIRSEQ)} and end with <mask>")
    start, _, end, unknown = model.pieces[:4]
    return model.with_pieces([unknown, start, end, *model.pieces[4:-1]])

"""Learning a byte-level byte-pair vocabulary, for GPT-2 from scratch (Sennrich et al. 2016; Radford et al. 2019).

learn_byte_pair(["Where is my parcel?", "包裹还没有到。"], 8000, Path("data"))  # data/vocab.json, data/merges.txt
"""

import json
from collections.abc import Iterable
from pathlib import Path

from keras_ft.errors import RequestError

END = "<|endoftext|>"
SMALLEST = 257  # the bytes and the end


def learn_byte_pair(texts: Iterable[str], size: int, folder: Path) -> int:
    """Write `vocab.json` and `merges.txt` as GPT-2 has them; the same texts give the same files.

    Args:
        texts: of the training data, and of nothing else.
        size: tokens, the 256 bytes and `<|endoftext|>` included.
        folder: is made.

    Returns:
        How many tokens there are: fewer than `size` where no pair of tokens is left that occurs twice.

    Raises:
        RequestError: the size is less than 257, or the `tokenizers` package is missing.
    """
    if size < SMALLEST:
        raise RequestError(f"a byte-pair vocabulary has at least {SMALLEST} tokens, the bytes and {END}, not {size}")
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError:
        raise RequestError("learning a vocabulary needs one more package: pip install tokenizers") from None
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size - 1,
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.model.save(str(folder))
    ids = tokenizer.get_vocab(with_added_tokens=False)
    in_order = [*sorted(ids, key=ids.__getitem__), END]  # GPT-2 has it last, too
    vocabulary = {token: i for i, token in enumerate(in_order)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(in_order)

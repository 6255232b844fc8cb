"""A word-piece vocabulary of single characters, for a BERT from scratch where words are not apart, as in Chinese.

learn_characters(["包裹还没有到。", "快递 EMS 在哪里"], Path("data/vocab.txt"))
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def learn_characters(texts: Iterable[str], path: Path) -> int:
    """Write `vocab.txt`: BERT's special tokens, every character that occurs at least twice in small letters, and Latin
    letters and digits as they continue a word.

    Args:
        texts: of the training data, and of nothing else.
        path: of the file; its folder is made.

    Returns:
        How many tokens there are.
    """
    counts = Counter(character for text in texts for character in text.lower() if not character.isspace())
    characters = [character for character, count in counts.most_common() if count > 1]
    inner = [f"##{character}" for character in characters if character.isascii() and character.isalnum()]
    tokens = [*SPECIAL_TOKENS, *characters, *inner]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return len(tokens)

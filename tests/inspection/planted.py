"""Clean data in English and Chinese, and the same with defects planted, each at a known line."""

import json
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from keras_ft.inspection.inspect import Inspection, inspect
from keras_ft.presets.load import load_pretrained
from keras_ft.recipe_file import load_recipe

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PEOPLE = ["the old teacher", "my younger sister", "our friendly neighbour", "a careful doctor", "the tired driver"]
DOES = [
    "bought a wonderful book",
    "sold the broken camera",
    "praised this quiet hotel",
    "disliked that noisy restaurant",
]
WHEN = ["yesterday morning", "last summer", "before the holidays", "after dinner"]
WER = ["老师", "妹妹", "邻居", "医生", "司机"]
WAS = ["买了一本好书", "卖掉了旧相机", "称赞这家安静的酒店", "不喜欢那家吵闹的餐馆"]
WANN = ["昨天早上", "去年夏天", "放假以前", "晚饭以后"]
EXTRA = "good film very bad awful great nice книга ! < b > & nbsp ; # 39 . ' ? , 。 ， ！"


def clean_texts() -> list[str]:
    english = [f"{who} {did} {when}." for who, did, when in product(PEOPLE, DOES, WHEN)]
    chinese = [f"{when}{who}{did}。" for who, did, when in product(WER, WAS, WANN)]
    return [text for pair in zip(english, chinese, strict=True) for text in pair]  # 160


def clean_rows(prefix: str = "") -> list[dict]:
    texts = [f"{prefix}{text}" for text in clean_texts()]
    return [{"text": text, "label": "positive" if i // 2 % 2 else "negative"} for i, text in enumerate(texts)]


def write_vocabulary(path: Path) -> None:
    """Words and characters of the clean texts."""
    words = dict.fromkeys(f"{' '.join([*PEOPLE, *DOES, *WHEN])} {EXTRA} today we saw that heute 今".split())
    characters = dict.fromkeys("".join([*WER, *WAS, *WANN, *"今天我们看到"]))
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    tokens = dict.fromkeys([*SPECIAL, *words, *characters, *pieces])
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")


@dataclass
class Planted:
    """Rows of the files, and what should be found: (kind, split) → (count, lines)."""

    lines: dict[str, list[bytes]] = field(default_factory=dict)
    expected: dict[tuple[str, str], tuple[int, list[int]]] = field(default_factory=dict)

    def row(self, split: str, text, label="positive", kind: str | None = None, count: int | None = None) -> int:
        return self.raw(split, json.dumps({"text": text, "label": label}, ensure_ascii=False).encode(), kind, count)

    def raw(self, split: str, line: bytes, kind: str | None = None, count: int | None = None) -> int:
        self.lines[split].append(line)
        number = len(self.lines[split])
        if kind:
            before, numbers = self.expected.get((kind, split), (0, []))
            self.expected[kind, split] = (before + 1 if count is None else count, [*numbers, number])
        return number


def clean() -> Planted:
    data = Planted()
    for split, prefix in (("train", ""), ("validation", "we saw that "), ("test", "today ")):
        data.lines[split] = [json.dumps(row, ensure_ascii=False).encode() for row in clean_rows(prefix)]
    return data


def planted() -> Planted:
    """Two dozen kinds of defects."""
    data = clean()
    first = clean_texts()[0]  # negative
    for line in (b'{"text": "good film", "label"', b'{"text": "very good \xff film", "label": "positive"}'):
        data.raw("train", line, "refused")
    for text, label in (("   ", "positive"), (None, "positive"), (7, "positive"), ("a nice camera", ["positive"])):
        data.row("train", text, label, "refused")
    data.row("train", "my sister saw that film", "mixed", "single_example")
    data.row("train", "my sister praised that film", "Positive ", "label_variant")
    data.row("train", "my sister disliked that film", "negatve", "label_typo")
    data.row("test", "the driver saw that film", "neutral", "unknown_label")
    data.row("train", first, "negative", "duplicate")
    data.row("train", f"{first.upper()}!", "negative", "near_duplicate")
    data.row(
        "train", clean_texts()[3], "negative" if clean_rows()[3]["label"] == "positive" else "positive", "conflict"
    )
    data.expected["duplicate", "train"] = (2, [*data.expected["duplicate", "train"][1], len(data.lines["train"])])
    data.row("test", clean_texts()[10], "positive", "overlap")
    data.row("test", f"we saw that {clean_texts()[12]}!!", "negative", "overlap")
    data.row("train", "the teacher " + "praised this book and " * 40, "positive", "truncated")
    data.row("validation", "the doctor saw a nice caf\ufffd", "positive", "replacement_character")
    data.row("validation", "陈锟斤拷买了一本好书", "positive", "replacement_character")
    data.row("validation", "the doctor sold\x08 a nice camera", "positive", "control_character")
    data.row("validation", "the doctor didnâ€™t see our cafÃ©", "negative", "mojibake")
    data.row("validation", "the doctor bought <br/> a camera", "positive", "markup")
    data.row("validation", "the teacher &amp; the doctor", "positive", "markup")
    data.row("validation", "the teacher #39;s camera", "positive", "markup")
    data.row("validation", "the teacher sold a\u200b book", "positive", "invisible_character")
    data.row("validation", "the teacher sold a hotel \ue5e5", "positive", "private_use_character")
    data.row("validation", "?!… 。", "positive", "no_words")
    data.row("validation", "好。", "positive", "one_character")
    data.row("validation", "龘龖 鱻", "positive", "unknown_text")
    data.row("validation", "книга была good", "positive")
    data.row("validation", "Это была отличная книга", "positive", "foreign_script")
    data.row(
        "validation", "nous avons acheté un livre magnifique dans cette petite ville", "positive", "foreign_language"
    )
    return data


def inspected(recipe: Path, *overrides: str) -> Inspection:
    loaded = load_recipe(recipe, overrides)
    return inspect(loaded, load_pretrained(loaded.backbone), lambda line: None)


def write(data: Planted, folder: Path) -> Path:
    """The files and a recipe over them."""
    for split, lines in data.lines.items():
        (folder / f"{split}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    write_vocabulary(folder / "vocab.txt")
    sections = {
        "task": "classification",
        "backbone": "{family: bert, vocabulary: vocab.txt, num_layers: 1, num_heads: 1, hidden_dim: 8,"
        " intermediate_dim: 8, max_sequence_length: 256}",
        "data": "{train: train.jsonl, validation: validation.jsonl, test: test.jsonl, max_length: 64}",
        "train": "{batch_size: 8}",
    }
    recipe = folder / "recipe.yaml"
    recipe.write_text("".join(f"{key}: {value}\n" for key, value in sections.items()), encoding="utf-8")
    return recipe

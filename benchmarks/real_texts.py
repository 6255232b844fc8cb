"""Exported taggers and question answerers on real texts: places in 5,000 texts, long texts, and the server's answers.

    python benchmarks/real_texts.py --run runs/ner-english --run runs/ner-chinese --run runs/qa-english

Each run is exported and asked through a Session; one that may answer "none" is exported so that it never does, or a
threshold would hide what is to be checked. Of every entity, `text[start:end]` must be whole words of the text
that do not overlap; of every answer it must be the answer. A sentence is then put at 25 places of a text of 5,000
words, and must be read as where its window's text is given alone; scores are compared where one window has it all.
At last the embedded server must answer 500 rows as `keras-ft predict` does.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from report import Bar, machine, publish

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TEXTS = {  # language: folder and column
    "en": [("en_classification/ag_news", "text"), ("multilabel/goemotions", "text"), ("en_intent/clinc150", "text")],
    "zh": [
        ("zh_classification/tnews", "text"),
        ("zh_classification/chnsenticorp", "text"),
        ("pairs/lcqmc_zh", "text_a"),
    ],
}
QUESTIONS = {"en": ["Who is it about?", "What happened?"], "zh": ["这是关于谁的？", "发生了什么？"]}
FILLER = {"en": "It rained all day and nobody went out to see the garden. ", "zh": "那一天一直下雨，没有人出去看花园。"}
SENTENCES = {"en": "Angela Merkel visited Microsoft in Paris.", "zh": "阿里巴巴的马云来到北京。"}
LONG_QUESTIONS = {"en": "Who visited Microsoft?", "zh": "谁来到北京？"}
COUNT, PLACES, LONG_WORDS, ROWS, BATCH = 5000, 25, 5000, 500, 32
MOST_DIFFERENCE = 1e-3

Row = dict[str, str]


def main(
    run: Annotated[list[Path], typer.Option(help="a finished run of tagging or span_qa; give as many as you like")],
    language: Annotated[list[str] | None, typer.Option(help="en or zh, of each run; default: by its name")] = None,
) -> None:
    """Check, print, and write results/real_texts.json."""
    before = machine()
    os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
    from keras_ft.export.export import export
    from keras_ft.serving.models.session_model import SessionModel
    from keras_ft.tasks.model import load_model

    rows, bars = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for number, it in enumerate(run):
            of = language[number] if language else "zh" if "chinese" in it.name else "en"
            it = answering(it, Path(scratch) / f"{number}" / it.name)
            folder, _ = export(it, Path(scratch) / f"{number}" / "model")
            model = SessionModel(Path(folder))
            is_qa = "question" in model.signatures["serving_default"].inputs
            asked = [
                {"question": QUESTIONS[of][i % 2], "context": text} if is_qa else {"text": text}
                for i, text in enumerate(texts_of(of))
            ]
            found, wrong = places(model, asked)
            reached, compared, difference = long_texts(model, load_model(it / "model"), of, is_qa)
            same = served_as_predicted(Path(folder), asked[:ROWS])
            rows.append(
                {
                    "run": it.name,
                    "texts": len(asked),
                    "places": found,
                    "wrong places": wrong,
                    "found in long texts %": 100 * reached,
                    "scores compared": compared,
                    "score differs by": difference,
                    "served alike %": 100 * same,
                }
            )
            bars += [
                Bar(f"{it.name}: wrong places", 0, wrong, at_most=True),
                Bar(f"{it.name}: found in long texts, %", 100, 100 * reached),
                Bar(f"{it.name}: difference of scores in long texts", MOST_DIFFERENCE, difference, at_most=True),
                Bar(f"{it.name}: rows served as predicted, %", 100, 100 * same),
            ]
    publish("real_texts", "Exports on real texts", rows, bars, before)


def answering(run: Path, copy: Path) -> Path:
    """The run, or where it has a threshold for no answer, a copy without."""
    task = json.loads((run / "model" / "task.json").read_text(encoding="utf-8"))
    if task.get("no_answer_threshold") is None:
        return run
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("checkpoints", "events"))
    written = json.dumps(task | {"no_answer_threshold": None})
    (copy / "model" / "task.json").write_text(written, encoding="utf-8")
    return copy


def texts_of(language: str) -> list[str]:
    """Different ones, evenly from all sources."""
    found: dict[str, None] = {}
    for folder, column in TEXTS[language]:
        split = next(path for name in ("train", "dev", "test") if (path := DATA / folder / f"{name}.jsonl").is_file())
        lines = split.read_text(encoding="utf-8").splitlines()[: COUNT // len(TEXTS[language]) + 50]
        found.update(dict.fromkeys(json.loads(line)[column] for line in lines))
    return list(found)[:COUNT]


def ask(model: Any, asked: list[Row]) -> list[dict[str, Any]]:
    """The answers, one a row."""
    answers: list[dict[str, Any]] = []
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        inputs = {name: np.array([row[name].encode() for row in part], object) for name in part[0]}
        outputs = model.predict("serving_default", inputs)
        answers += [
            {name: values[i].tolist() if values.ndim > 1 else values[i] for name, values in outputs.items()}
            for i in range(len(part))
        ]
    return answers


def places(model: Any, asked: list[Row]) -> tuple[int, int]:
    """How many entities and answers there are, and how many are not where they say."""
    found = wrong = 0
    for row, answer in zip(asked, ask(model, asked), strict=True):
        if "answer" in answer:
            if answer["answer"]:
                found += 1
                wrong += row["context"][answer["start"] : answer["end"]] != answer["answer"].decode()
            continue
        last = 0
        for start, end, label in zip(answer["start"], answer["end"], answer["label"], strict=True):
            if label:
                found += 1
                piece = row["text"][start:end]
                wrong += not (last <= start < end <= len(row["text"]) and piece == piece.strip())
                last = end
    return found, wrong


def long_texts(model: Any, trained: Any, language: str, is_qa: bool) -> tuple[float, int, float]:
    """The share of places where a sentence gets what it gets in its window alone, and the largest difference of scores.

    The short text beside a long one is what one of the model's windows holds of it, so that both see the same context.
    An answer may come from any window that holds it: the one counts whose scores are nearest. A tagger takes each word
    from one window, and a random field reads the words beside it: scores are compared where one window speaks for the
    sentence and the word on either side. The second figure says at how many places that is so.
    """
    filler, sentence = FILLER[language], SENTENCES[language] + (" " if language == "en" else "")
    unit = len(filler.split()) if language == "en" else len(filler)
    total = LONG_WORDS // unit
    reached, compared, difference = 0, 0, 0.0
    for spot in np.linspace(0, total, PLACES).astype(int).tolist():
        text = filler * spot + sentence + filler * (total - spot)
        begin = spot * len(filler)
        found = read(model, [text], language, is_qa, [begin])[0]
        first, last = (begin + it for it in (found[0][:2] if is_qa else (0, len(sentence.rstrip()))))
        holding = [it for it in windows_of(trained, text, language, is_qa) if it.start <= first and last <= it.end]
        alone = read(
            model, [text[it.start : it.end] for it in holding], language, is_qa, [begin - it.start for it in holding]
        )
        same = [(it, there) for it, there in zip(holding, alone, strict=True) if _where(there) == _where(found)]
        reached += bool(found and same)
        differences = [
            max(abs(a[3] - b[3]) for a, b in zip(found, there, strict=True))
            for it, there in same
            if is_qa or it.speaks_for(first, last)
        ]
        if found and differences:
            compared, difference = compared + 1, max(difference, min(differences))
    return reached / PLACES, compared, difference


def _where(found: list[tuple]) -> list[tuple]:
    """Without scores."""
    return [it[:3] for it in found]


def read(model: Any, texts: list[str], language: str, is_qa: bool, begins: list[int]) -> list[list[tuple]]:
    """Of each text the entities in the sentence, or the answer: start and end from where it begins, label, score."""
    if is_qa:
        asked = [{"question": LONG_QUESTIONS[language], "context": text} for text in texts]
        return [
            [(a["start"] - b, a["end"] - b, "", float(a["score"]))]
            for a, b in zip(ask(model, asked), begins, strict=True)
        ]
    listed, length = [], len(SENTENCES[language])
    for answer, begin in zip(ask(model, [{"text": text} for text in texts]), begins, strict=True):
        fields = zip(answer["start"], answer["end"], answer["label"], answer["score"], strict=True)
        placed = [(start - begin, end - begin, label, score) for start, end, label, score in fields if label]
        listed.append([it for it in placed if it[0] >= 0 and it[1] <= length])
    return listed


class Window(NamedTuple):
    """One of a model's windows over a text, in characters.

    Attributes:
        start, end: what it holds.
        first, last: from the start of the first to the end of the last token that a tagger takes from it.
    """

    start: int
    end: int
    first: int
    last: int

    def speaks_for(self, first: int, last: int) -> bool:
        """Whether all words of a part of the text are taken from it, and the one before and behind."""
        before, behind = self.first < first or self.first == 0, last < self.last or self.last == self.end
        return self.first <= first and last <= self.last and before and behind


def windows_of(trained: Any, text: str, language: str, is_qa: bool) -> list[Window]:
    """The windows that the model reads a text in."""
    from keras_ft.text.windows import windows
    from keras_ft.text.word_tokens import is_best_context

    tokenizer, task = trained.pretrained.tokenizer, trained.task
    _, starts, ends = (it.numpy()[0] for it in tokenizer.tokenize_with_offsets([text]))
    question = len(tokenizer.tokenize([LONG_QUESTIONS[language]]).numpy()[0]) + 1 if is_qa else 0
    cut = windows([len(starts)], [task.max_length - 2 - question], task.stride)
    found = []
    for number, (a, n) in enumerate(zip(cut.start.numpy(), cut.length.numpy(), strict=True)):
        places = np.arange(a, a + n)
        own = places[is_best_context(cut, np.full(n, number), places).numpy()]
        found.append(Window(*(int(it) for it in (starts[a], ends[a + n - 1], starts[own[0]], ends[own[-1]]))))
    return found


def served_as_predicted(folder: Path, asked: list[Row]) -> float:
    """The share of rows that the embedded server answers as `keras-ft predict` does."""
    from keras_ft.serving.background import BackgroundServer
    from keras_ft.serving.client import Client

    file = folder.parent / "asked.jsonl"
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in asked), encoding="utf-8")
    command = [sys.executable, "-m", "keras_ft", "predict", str(folder), "--input", str(file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    predicted = json.loads(done.stdout)["answers"]
    with BackgroundServer([folder]) as server:
        client = Client(server.url)
        served = []
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            served += client.predict(
                folder.parent.name, instances=[row if len(row) > 1 else next(iter(row.values())) for row in part]
            )
    return float(np.mean([_alike(a, b) for a, b in zip(predicted, served, strict=True)]))


def _alike(predicted: Any, served: Any) -> bool:
    """Equal but for the last digits of scores, and for the padding of lists."""
    if isinstance(predicted, dict):
        return all(_alike(value, served[name]) for name, value in predicted.items())
    if isinstance(predicted, list):
        return all(_alike(a, b) for a, b in zip(predicted, served, strict=False)) and all(
            it in ("", -1, -1.0) for it in served[len(predicted) :]
        )
    if isinstance(predicted, float):
        return abs(predicted - served) < 1e-4
    return predicted == served


if __name__ == "__main__":
    typer.run(main)

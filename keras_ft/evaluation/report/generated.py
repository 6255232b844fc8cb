"""What a report shows of generated texts: how near they are to their references, how long, and samples of them."""

import numpy as np

from keras_ft.evaluation.report.page import Block, Cell, Numbers, Paragraph, Quotes, Section, Table
from keras_ft.evaluation.report.sections import Facts
from keras_ft.evaluation.shorten import shortened
from keras_ft.evaluation.text_metrics import bleu_tokenizer, sentence_chrf, text_metrics
from keras_ft.evaluation.texts import GeneratedText

SPREAD, EXTREMES = 10, 5  # samples evenly over the rows, and the worst and the best
CHARACTERS = 600  # of a text that is shown
SPOKEN = {"bleu": "BLEU", "chrf": "chrF", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}
COUNTED = {
    "zh": "Most references are Chinese: BLEU counts Chinese characters (sacrebleu's tokenizer zh)",
    "char": "Most references are in a script without spaces: BLEU counts characters (sacrebleu's tokenizer char)",
    "13a": "BLEU counts words and punctuation marks (sacrebleu's tokenizer 13a)",
}


def generated_texts(facts: Facts) -> Section | None:
    """Metrics, lengths and samples of what was generated for the split that is looked at."""
    records = facts.texts
    if not records:
        return None
    blocks: list[Block] = [Numbers(_lengths(records))]
    if any(record.reference.strip() for record in records):
        blocks += [*_metrics(records, facts.split), *_samples_by_score(records)]
    else:
        chosen = _evenly(np.arange(len(records)), SPREAD + 2 * EXTREMES)
        blocks.append(_samples(records, chosen, np.full(len(records), np.nan)))
    return Section("Generated texts", blocks)


def _lengths(records: list[GeneratedText]) -> list[tuple[str, str]]:
    characters = float(np.mean([len(record.text) for record in records]))
    wanted = float(np.mean([len(record.reference) for record in records]))
    tokens = float(np.mean([record.num_tokens for record in records]))
    empty = float(np.mean([not record.text.strip() for record in records]))
    cut = float(np.mean([not record.ended for record in records]))
    numbers = [
        ("texts", f"{len(records):,}"),
        ("mean tokens", f"{tokens:,.1f}"),
        ("mean characters", f"{characters:,.1f}"),
        ("empty", f"{empty:.1%}"),
        ("cut at max_new_tokens", f"{cut:.1%}"),
    ]
    if wanted:
        numbers.insert(3, ("mean characters of references", f"{wanted:,.1f}"))
    return numbers


def _metrics(records: list[GeneratedText], split: str) -> list[Block]:
    texts, references = [record.text for record in records], [record.reference for record in records]
    found = text_metrics(texts, references)
    rows: list[list[Cell | str | int | float]] = [
        [SPOKEN[name], Cell(value, shown=f"{value:.2f}")] for name, value in found.items()
    ]
    counted = COUNTED[bleu_tokenizer(references)]
    note = (
        f"All are from 0 to 100. {counted}. chrF compares runs of up to six characters in any script. ROUGE is the mean"
        " of F1 over the texts; its words are single characters in scripts without spaces."
    )
    return [Table(f"Texts of {split} against their references", ["metric", "value"], rows), Paragraph(note)]


def _samples_by_score(records: list[GeneratedText]) -> list[Block]:
    scores = sentence_chrf([record.text for record in records], [record.reference for record in records])
    if len(records) <= SPREAD + 2 * EXTREMES:
        return [Paragraph("All of them:"), _samples(records, np.arange(len(records)), scores)]
    longest_first = np.array([-len(record.reference) for record in records])  # among equals, which short ones often are
    worst = np.lexsort([longest_first, scores])[:EXTREMES]
    best = np.lexsort([longest_first, -scores])
    best = best[~np.isin(best, worst)][:EXTREMES]
    others = np.setdiff1d(np.arange(len(records)), np.concatenate([worst, best]))
    return [
        Paragraph("Evenly spread over the rows:"),
        _samples(records, _evenly(others, SPREAD), scores),
        Paragraph("Farthest from their references, by chrF:"),
        _samples(records, worst, scores),
        Paragraph("Nearest to their references, by chrF:"),
        _samples(records, best, scores),
    ]


def _evenly(numbers: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of them, at equal distances."""
    count = min(count, len(numbers))
    return numbers[(2 * np.arange(count) + 1) * len(numbers) // (2 * count)]  # the middle of each part


def _samples(records: list[GeneratedText], chosen: np.ndarray, scores: np.ndarray) -> Quotes:
    """The texts of some records side by side; a score that is NaN is not shown."""
    items = []
    for i in chosen.tolist():
        record = records[i]
        texts = {"input": record.source, "reference": record.reference, "generated": record.text}
        if np.isnan(scores[i]):
            del texts["reference"]
        shown = {name: shortened(text, CHARACTERS) if text.strip() else "(empty)" for name, text in texts.items()}
        facts = [("row", f"{record.row:,}"), ("tokens", f"{record.num_tokens:,}")]
        if not np.isnan(scores[i]):
            facts.insert(0, ("chrF", f"{scores[i]:.1f}"))
        if not record.ended:
            facts.append(("cut", "at max_new_tokens"))
        items.append((shown, facts))
    return Quotes(items, beside=True)

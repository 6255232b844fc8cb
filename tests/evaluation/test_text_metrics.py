"""BLEU, chrF and ROUGE against sacrebleu and rouge-score, and by hand where those have no answer."""

import subprocess
import sys

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer

from keras_ft.errors import RequestError
from keras_ft.evaluation.rouge_words import RougeWords
from keras_ft.evaluation.text_metrics import TEXT_METRICS, bleu_tokenizer, rouge_scores, sentence_chrf, text_metrics

ENGLISH = (
    ["the cat sat on the mat", "He didn't go there, did he?", "", "I like green tea ."],
    ["a cat sat on the mat", "He did not go there, did he?", "Nothing came.", "I'd like some green tea."],
)
CHINESE = (
    ["我不知道他在哪里。", "今天天气很好", "他喜欢喝咖啡和茶。"],
    ["我不知道他在哪儿。", "今天的天气真好。", "他喜欢喝茶和咖啡。"],
)


@pytest.mark.parametrize(("pair", "tokenizer"), [(ENGLISH, "13a"), (CHINESE, "zh")])
def test_bleu_and_chrf_are_sacrebleus(pair, tokenizer):
    texts, references = pair
    found = text_metrics(texts, references)
    assert tuple(found) == TEXT_METRICS
    assert found["bleu"] == sacrebleu.corpus_bleu(texts, [references], tokenize=tokenizer, force=True).score > 0
    assert found["chrf"] == sacrebleu.corpus_chrf(texts, [references]).score > 0


def test_english_rouge_is_rouge_scores_own_f1_times_100():
    texts, references = ENGLISH
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    found = text_metrics(texts, references)
    for name in ("rouge1", "rouge2", "rougeL"):
        each = [scorer.score(reference, text)[name].fmeasure for text, reference in zip(texts, references, strict=True)]
        assert found[name] == pytest.approx(100 * np.mean(each))


def test_ascii_words_are_those_of_rouge_score():
    random = np.random.default_rng(0)
    theirs, ours = DefaultTokenizer(use_stemmer=False), RougeWords()
    for codes in random.integers(0, 128, (500, 60)):
        text = "".join(map(chr, codes))
        assert ours.tokenize(text) == theirs.tokenize(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我不知道，OK吗？", ["我", "不", "知", "道", "ok", "吗"]),
        ("𠮷野家3号店", ["𠮷", "野", "家", "3", "号", "店"]),
        ("हिन्दी में लिखना।", ["हिन्दी", "में", "लिखना"]),
        ("مرحبًا بكم، أصدقائي", ["مرحبًا", "بكم", "أصدقائي"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("Я НЕ знаю…", ["я", "не", "знаю"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("😀 ?!", []),
    ],
)
def test_words_of_other_scripts_are_whole_and_chinese_is_split_by_character(text, words):
    assert RougeWords().tokenize(text) == words


def test_chinese_rouge_counted_by_hand():
    found = rouge_scores(["猫坐在垫子上"], ["一只猫在垫子上"])  # 6 and 7 characters; 5 in common, in the same order
    assert found["rouge1"][0] == pytest.approx(100 * 2 * 5 / 13)
    assert found["rouge2"][0] == pytest.approx(100 * 2 * 3 / 11)  # 在垫 垫子 子上 of 5 and of 6 pairs
    assert found["rougeL"][0] == pytest.approx(100 * 2 * 5 / 13)
    turned = rouge_scores(["上子垫"], ["垫子上"])
    assert (turned["rouge1"][0], turned["rouge2"][0]) == (100, 0)
    assert turned["rougeL"][0] == pytest.approx(100 / 3)


def test_chinese_bleu_counts_characters_by_hand():
    # of 8 characters 7 occur in the reference, of 7 pairs 5, of 6 triples 3, of 5 quadruples 1; both are as long
    expected = 100 * (7 / 8 * 5 / 7 * 3 / 6 * 1 / 5) ** 0.25
    assert text_metrics(["我不知道你在哪里"], ["我不知道他在哪里"])["bleu"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("references", "tokenizer"),
    [
        (["我不知道。"], "zh"),
        (["我爱 deep learning", "今天天气很好，我们去公园吧"], "zh"),
        (["I love 你"], "13a"),
        (["日本語のテストです。"], "char"),
        (["สวัสดีครับ"], "char"),
        (["안녕하세요 여러분", "नमस्ते"], "13a"),
        (["", "123 !"], "13a"),
    ],
)
def test_the_tokenizer_follows_the_letters_of_the_whole_set(references, tokenizer):
    assert bleu_tokenizer(references) == tokenizer


@pytest.mark.parametrize(("texts", "references"), [([""], ["a b"]), ([" \n"], [" \n"]), (["", ""], ["", "好"])])
def test_empty_texts_score_nothing(texts, references):
    assert set(text_metrics(texts, references).values()) == {0.0}


@pytest.mark.parametrize(
    "text", ["今天我们去公园。", "So we went to the park.", "Сегодня мы идём в парк", "हम आज बाग में गए"]
)
def test_equal_texts_score_100(text):
    assert list(text_metrics([text], [text]).values()) == pytest.approx([100.0] * 5)


def test_one_token_has_no_bleu_as_sacrebleu_defines_it():
    found = text_metrics(["好"], ["好"])
    assert (found["bleu"], found["chrf"], found["rouge1"]) == (0, 100, 100)


def test_nothing_to_measure_is_refused():
    with pytest.raises(RequestError, match="at least one is needed"):
        text_metrics([], [])
    with pytest.raises(ValueError, match="2 texts cannot be compared with 1 references"):
        text_metrics(["a", "b"], ["a"])


def test_each_text_has_a_chrf_of_its_own():
    texts, references = CHINESE
    expected = [sacrebleu.sentence_chrf(text, [ref]).score for text, ref in zip(texts, references, strict=True)]
    assert sentence_chrf(texts, references).tolist() == expected


def test_the_reference_implementations_are_not_loaded_before_they_are_needed():
    code = (
        "import sys, keras_ft.evaluation.text_metrics; print({'sacrebleu', 'rouge_score', 'nltk'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"

"""MiniLM-L6 under a classification head: what every contender starts from, in keras_ft's format and transformers'."""

from pathlib import Path

PRESET = "minilm_l6_en_uncased"
MAX_LENGTH = 128
DROPOUT = 0.1


def write_untrained(labels: list[str], folder: Path) -> Path:
    """Write `folder/run/model`, MiniLM under a fresh head, and the same for transformers; returns the latter's folder.

    The head reads the pooler, so that transformers' own BertForSequenceClassification is the same arithmetic.
    """
    from keras_ft.export.convert import convert
    from keras_ft.presets.load import load_pretrained
    from keras_ft.presets.saved_weights import save_weights
    from keras_ft.run_folder import RunFolder
    from keras_ft.tasks.classification import Classification
    from keras_ft.tasks.model import build_model
    from keras_ft.tasks.registry import save_task

    run = RunFolder(folder / "run")
    run.model.mkdir(parents=True)
    task = Classification(labels, pooling="pooler", max_length=MAX_LENGTH)
    pretrained = load_pretrained(PRESET)
    pretrained.save(run.model)
    save_task(task, run.model)
    save_weights(build_model(task, pretrained, seed=0), run.model)
    return convert(run.path, folder / "hugging-face", "hugging-face").folder

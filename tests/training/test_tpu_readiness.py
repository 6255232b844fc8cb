"""What can be known of a TPU without one: the whole step in rows compiles under XLA and never leaves the device."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.data.plans import training_plans
from keras_ft.recipe_file import load_recipe
from keras_ft.tasks.backbone import load_backbone
from keras_ft.tasks.language import LanguageTask
from keras_ft.tasks.model import build_model
from keras_ft.tasks.registry import TASKS
from keras_ft.training.prepare import prepare
from keras_ft.training.tf_engine import TFEngine
from tests.tiny import write_jsonl, write_recipe
from tests.tiny_language import write_language_recipe

ROWS = {
    "multilabel": {"text": "a great film", "labels": ["good"]},
    "pair": {"text_a": "a great film", "text_b": "it was good", "label": "same"},
    "regression": {"text_a": "a great film", "text_b": "it was good", "label": 0.5},
    "tagging": {"text": "the great film was good", "entities": [[4, 14, "NAME"]]},
    "relation": {"text": "<e1>the film</e1> was <e2>good</e2>", "label": "is"},
    "span_qa": {
        "question": "what was good?",
        "context": "this film was good",
        "answers": {"text": ["film"], "answer_start": [5]},
    },
    "embedding": {"text_a": "a great film", "text_b": "it was good"},
}
OTHERS = {
    "multilabel": {"labels": ["bad"]},
    "pair": {"label": "other"},
    "regression": {"label": 2.5},
    "tagging": {"entities": []},
    "relation": {"label": "is not"},
    "span_qa": {"answers": {"text": [], "answer_start": []}},
    "embedding": {"text_a": "not a film"},
}
"""Task → what every other row has in place of the first one's."""
ON_THE_HOST = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "Print", "PrintV2", "IteratorGetNext")


def engine_and_batch(folder, task: str, **settings):
    writes = issubclass(TASKS[task], LanguageTask)
    path = write_language_recipe(folder, task) if writes else write_recipe(folder, task=task)
    if task in ROWS:
        rows = [ROWS[task] | (OTHERS[task] if number % 2 else {}) for number in range(48)]
        for name in ("train", "test"):
            write_jsonl(folder / f"{name}.jsonl", rows)
    recipe = load_recipe(path)
    pretrained = load_backbone(recipe)
    prepared = prepare(recipe, pretrained, folder / "data", lambda line: None)
    for name, value in settings.items():
        setattr(recipe.train, name, value)
    model = build_model(prepared.task, pretrained, 0)
    engine = TFEngine(model, prepared.task, recipe.train, layout="rows")
    engine.prepare(10)
    arrays = prepared.splits["train"]
    plans = training_plans("rows", arrays.lengths, 0, epochs=1, parts=recipe.train.accumulate, batch_size=8)
    return engine, next(iter(engine.batches(arrays, plans.steps(0), 0)))


def operations(function: tf.types.experimental.ConcreteFunction) -> list[tf.Operation]:
    """Of a function and of all that it calls."""
    found = list(function.graph.get_operations())
    for name in function.graph.as_graph_def().library.function:
        inner = function.graph._get_function(name.signature.name)
        if inner is not None and inner.graph is not None:
            found += inner.graph.get_operations()
    return found


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        *(pytest.param(task, {}, id=task) for task in TASKS),
        *(
            pytest.param(task, {"accumulate": 2, "precision": "bfloat16"}, id=f"{task}, accumulated")
            for task in ("classification", "tagging", "embedding", "text2text")  # a head of each kind
        ),
    ],
)
def test_the_whole_step_compiles_with_static_shapes_and_never_leaves_the_device(tmp_path, task, settings):
    engine, batch = engine_and_batch(tmp_path, task, **settings)
    step = tf.function(engine._train_step, autograph=False, jit_compile=True)
    arguments = (batch, tf.constant(0), tf.constant(0.0))
    before = {name: np.array(array) for name, array in engine.state().items()}
    logs = step(*arguments)
    assert np.isfinite(logs["loss"])
    assert logs["gradient_norm"] > 0
    moved = [name for name, array in engine.state().items() if not np.array_equal(array, before[name])]
    assert any(name.startswith("model/") for name in moved)
    found = operations(step.get_concrete_function(*arguments))
    assert {"BatchMatMulV2", "ResourceApplyAdam"} <= {operation.type for operation in found}
    for operation in found:
        assert operation.type not in ON_THE_HOST, operation.name
        for tensor in [*operation.inputs, *operation.outputs]:
            assert tensor.dtype != tf.string, operation.name
    for name, tensor in batch[0].items():
        assert tensor.shape.is_fully_defined(), name

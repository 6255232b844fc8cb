"""What generation cannot be faster than here: its matrix products alone, through a Session.

    python benchmarks/ceiling.py

A SavedModel of the products that a GPT-2 of 82 million parameters needs to read a prompt of 32 tokens and to write 64:
four of each layer and that with the vocabulary, for every token, in a loop; no attention, norms or choice. The table of
the vocabulary is laid out both ways, and the faster counts. Takes 3 minutes on two cores.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from contender import Contender
from generation_model import NEW_TOKENS, PROMPT, QUICK, SIZES, write_prompts
from report import RESULTS, machine, publish
from rounds import alternate

REQUESTS = {1: 4, 8: 1}  # batch size: requests in a round
DTYPES = ("float32", "bfloat16")
LAYOUTS = ("vocabulary × hidden", "hidden × vocabulary")


def write_ceiling(folder: Path, dtype: str, layout: str, sizes: dict[str, int]) -> Path:
    """Write the SavedModel: `states` float32 `(rows, PROMPT, hidden)` → `last` float32 `(rows, hidden)`.

    Args:
        folder: to be written.
        dtype: of weights and products.
        layout: of the table of the vocabulary, one of `LAYOUTS`.
        sizes: as keras-hub names them.
    """
    import numpy as np
    import tensorflow as tf

    hidden, wide, vocabulary = (sizes[name] for name in ("hidden_dim", "intermediate_dim", "vocabulary_size"))
    rng, transposed = np.random.default_rng(0), layout == LAYOUTS[0]

    def kernel(inputs: int, outputs: int) -> tf.Tensor:
        return tf.cast(rng.standard_normal((inputs, outputs), "float32") * inputs**-0.5, dtype)

    module = tf.Module()
    shapes = ((hidden, 3 * hidden), (hidden, hidden), (hidden, wide), (wide, hidden))
    module.layers = [[tf.Variable(kernel(*shape)) for shape in shapes] for _ in range(sizes["num_layers"])]
    table = kernel(hidden, vocabulary)
    module.table = tf.Variable(tf.transpose(table) if transposed else table)

    def layer_products(kernels: list[tf.Variable], states: tf.Tensor, last: slice) -> tf.Tensor:
        projected = tf.matmul(states, kernels[0])[last, :hidden]  # the queries stand for what attention gives
        for each in kernels[1:]:
            projected = tf.matmul(projected, each)
        return projected

    def next_states(first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        """The loop's next input: hangs on the logits, and keeps its size."""
        logits = tf.matmul(last, module.table, transpose_b=transposed)  # (rows, vocabulary)
        return first + tf.cast(1e-3, dtype) * logits[:, :1]

    @tf.function(input_signature=[tf.TensorSpec([None, PROMPT, hidden], tf.float32, "states")], autograph=False)
    def products(states: tf.Tensor) -> dict[str, tf.Tensor]:
        states = tf.cast(states, dtype)
        first, read = states[:, -1], tf.reshape(states, [-1, hidden])  # (rows, hidden), (rows * PROMPT, hidden)
        for kernels in module.layers[:-1]:
            read = layer_products(kernels, read, slice(None))
        read = layer_products(module.layers[-1], read, slice(PROMPT - 1, None, PROMPT))  # (rows, hidden)

        def step(number: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            for kernels in module.layers:
                last = layer_products(kernels, last, slice(None))
            return number + 1, next_states(first, last)

        start = (tf.constant(1), next_states(first, read))
        _, last = tf.while_loop(lambda number, _: number < NEW_TOKENS, step, start, parallel_iterations=1)
        return {"last": tf.cast(last, tf.float32)}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": products})
    return folder


def ceiling_commands(scratch: Path, prompts: Path, sizes: dict[str, int]) -> dict[str, tuple]:
    """Write the SavedModels of each dtype and layout; returns the command of each as a contender."""
    commands: dict[str, tuple] = {}
    for dtype in DTYPES:
        for number, layout in enumerate(LAYOUTS):
            folder = write_ceiling(scratch / f"ceiling-{dtype}-{number}", dtype, layout, sizes)
            commands[f"products {dtype}, {layout}"] = (
                sys.executable,
                "generation_session.py",
                "products",
                folder,
                prompts,
            )
    return commands


def main(
    rounds: int = 7,
    quick: Annotated[bool, typer.Option("--quick", help="a small model, one round; writes no result")] = False,
) -> None:
    """Measure, print, and write results/ceiling.json."""
    before = machine()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rows: list[dict[str, Any]] = []
    with ExitStack() as open_until_done:
        scratch = Path(open_until_done.enter_context(tempfile.TemporaryDirectory()))
        prompts = write_prompts(scratch / "prompts.jsonl")
        commands = ceiling_commands(scratch, prompts, QUICK if quick else SIZES)
        contenders = {n: open_until_done.enter_context(Contender(*command)) for n, command in commands.items()}
        for batch_size, requests in REQUESTS.items():
            request = {"batch_size": batch_size, "requests": requests, "new_tokens": NEW_TOKENS}
            turns = {n: lambda number, it=c, r=request: it.measure(number=number, **r) for n, c in contenders.items()}
            alternate(turns, rounds=1)  # warm-up
            for name, speeds in alternate(turns, 1 if quick else rounds).items():
                rows.append(_row(batch_size, name, speeds))
        title = f"Matrix products of writing {NEW_TOKENS} tokens behind {PROMPT}"
        publish("ceiling", title, rows, [], before, scratch if quick else RESULTS)


def _row(batch_size: int, name: str, speeds: list[float]) -> dict[str, Any]:
    return {
        "batch": batch_size,
        "products": name.removeprefix("products "),
        "tokens/s": median(speeds),
        "ms/step": 1000 * batch_size / median(speeds),
        "rounds": [round(speed, 2) for speed in speeds],
    }


if __name__ == "__main__":
    typer.run(main)

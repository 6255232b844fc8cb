"""What README and documentation say is so: every code block runs, in its order, in one shell, as a reader would type it."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.pages import ROOT, as_shell, blocks, chains, pages, script

WIDEST_LINE = 120
MUST_PRINT = {
    "README.md": [r'"predictions"', r'"label": "(delivery|billing)"', r"(delivery|billing) 0\.\d+\n"],
    "docs/tasks/span_qa.md": [r'\{"answer": "\w*", "start": -?\d+, "end": -?\d+, "score": ', r"no_answer_f1 "],
    "docs/tasks/language_models.md": [r'"text": "红 7"', r"蓝 12 \['蓝 12'", r'"log_likelihood"'],
    "docs/first-recipe.md": [
        r'"label": "delivery"(.|\n)*"label": "billing"',
        r"comments.csv line 2 has no 'coment'; its columns are 'comment', 'category'; did you mean 'comment'\?",
        r'"state": "AVAILABLE"',
        r'"outputs"',
        r"billing 0\.\d+ False\n",
        r"\n1\n2\n",
        r"bfloat16, \d+",
    ],
}
"""Page → what its blocks, and those of the pages that go on from it, print at least."""


def run(chain: list[Path], folder: Path, environment: dict[str, str]) -> str:
    """What the blocks print, both streams; the assertion that fails shows the end of it."""
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", script(chain)],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(600)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # the server that the reader leaves running
            wait_for_the_port()
    printed = (folder / "out").read_text(encoding="utf-8")
    assert code == 0, printed[-3000:]
    return printed


def wait_for_the_port() -> None:
    """Until nobody listens where the next page may serve."""
    for _ in range(600):
        with socket.socket() as asking:
            if asking.connect_ex(("localhost", 8501)):
                return
        time.sleep(0.05)
    pytest.fail("a server of a page does not end")


@pytest.mark.slow  # and never two at once: pages serve at the same port
@pytest.mark.parametrize("name", chains())
def test_every_block_runs(name, tmp_path, commands):
    printed = run(chains()[name], tmp_path, commands.environment)
    for pattern in MUST_PRINT.get(name, []):
        assert re.search(pattern, printed), f"{pattern} is not in:\n{printed[-5000:]}"


def test_pages_that_must_print_something_are_there():
    assert set(MUST_PRINT) <= set(chains())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_are_understood_and_fit_the_page(page):
    for block in blocks(page):
        as_shell(block)
        long = [line for line in block.code.splitlines() if len(line) > WIDEST_LINE]
        assert not long, long


def test_the_first_recipe_takes_four_commands():
    """The bar of a stranger's path: the numbered blocks are four, and each is one line."""
    text = (ROOT / "docs" / "first-recipe.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\*\*(\d)\. .*\n(?:.*\n)*?```bash\n(.*)\n```$", text, re.MULTILINE)
    assert [number for number, _ in commands] == ["1", "2", "3", "4"]
    assert [command.split()[:2] for _, command in commands] == [
        ["pip", "install"],
        ["keras-ft", "train"],
        ["keras-ft", "export"],
        ["keras-ft", "serve"],
    ]


def test_the_recipe_from_scratch_is_accepted(tmp_path):
    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe_file import load_recipe
    from tests.tiny import write_vocabulary

    code = next(block.code for block in blocks(ROOT / "README.md") if "from_scratch" in block.code)
    (tmp_path / "recipe.yaml").write_text(code, encoding="utf-8")
    write_vocabulary(tmp_path / "vocab.txt")
    assert load_pretrained(load_recipe(tmp_path / "recipe.yaml").backbone).backbone.num_layers == 4


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target


def reference_tables():
    spec = importlib.util.spec_from_file_location("reference_tables", ROOT / "scripts" / "reference_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A section of the recipe and all within it, named things and intervals aside."""
    from keras_ft.recipe import Interval, Section

    found = {model}
    for field in model.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, Section) and kind is not Interval:
                found |= sections(kind)
    return found


def test_every_key_of_the_recipe_is_described_in_the_reference():
    from keras_ft.recipe import Recipe

    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    found = sections(Recipe)
    assert len(found) >= 6
    for section in found:
        assert f"<!-- reference: {section.__module__}:{section.__name__} -->" in page, section
        for key, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{key} has no description under it"


def test_every_task_has_its_options_on_a_page():
    from keras_ft.tasks.registry import TASKS

    table = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    for name, task in TASKS.items():
        link = re.search(rf"\[`{name}`\]\((tasks/\w+\.md)\)", table)
        assert link, f"docs/tasks.md has no link for {name}"
        page = (ROOT / "docs" / link[1]).read_text(encoding="utf-8")
        rendered = reference_tables().on_page_markdown(page)
        for option in task.Options.model_fields:
            assert f"| `{option}` |" in rendered


def test_every_option_of_generation_is_on_its_page():
    from keras_ft.generation.options import GenerationOptions

    page = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")
    rendered = reference_tables().on_page_markdown(page)
    for option, field in GenerationOptions.model_fields.items():
        assert field.description, f"{option} has no description under it"
        assert f"| `{option}` |" in rendered


def test_reference_tables_say_defaults_as_a_recipe_writes_them():
    hook = reference_tables()
    table = hook.on_page_markdown("<!-- reference: keras_ft.recipe:TrainSection -->")
    assert "| `evaluate_every` | `1 epoch` |" in table
    assert "| `optimizer` | `adamw` |" in table
    assert "| `learning_rate` | `5e-05` |" in table
    assert "(`linear`, `cosine`, `constant`, `polynomial`)" in table
    assert "| `early_stopping` | `null` |" in table
    assert "| `train` | required |" in hook.on_page_markdown("<!-- reference: keras_ft.recipe:DataSection -->")
    rows = hook.on_page_markdown("<!-- reference: keras_ft.tasks.causal_lm:CausalLMOptions -->").splitlines()
    assert all(row.startswith("| ") and row.endswith(" |") for row in rows if row != "|---|---|---|"), rows
    assert "| `stop` | `[]` |" in hook.on_page_markdown(
        "<!-- reference: keras_ft.generation.options:GenerationOptions -->"
    )
    assert "| `every` | `5 min` |" in hook.on_page_markdown("<!-- reference: keras_ft.recipe:CheckpointSection -->")

"""All checks, in the order they are shown. A check that breaks is itself a finding: the doctor always answers."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from keras_ft.doctor.accelerators import accelerators
from keras_ft.doctor.clashes import clashes
from keras_ft.doctor.cpu import cpu
from keras_ft.doctor.finding import Finding, note
from keras_ft.doctor.network import hubs
from keras_ft.doctor.packages import MODULES, imports, packages, python
from keras_ft.doctor.probe import Probe, probe
from keras_ft.doctor.recipe_paths import recipe_paths
from keras_ft.doctor.resources import caches, disk, memory
from keras_ft.errors import RequestError
from keras_ft.paths import cache_folder, is_remote


def examine(recipe: Path | None = None, out: str | None = None) -> Iterator[tuple[str, list[Finding]]]:
    """Look at all that decides whether training, export and serving will work here.

    Args:
        recipe: looked at too, with the files it names.
        out: the run folder it would be trained into.

    Yields:
        A subject and what was found about it, as soon as it is known.

    Raises:
        RequestError: a run folder without a recipe.
    """
    if out is not None and recipe is None:
        raise RequestError("--out is looked at together with a recipe: keras-ft doctor RECIPE --out RUN")
    folders = [
        cache_folder(),
        Path.cwd(),
        *([recipe.parent] if recipe else []),
        *([Path(out)] if out and not is_remote(out) else []),
    ]
    yield "packages", [*guarded(lambda: [python()]), *guarded(packages), *guarded(clashes)]
    found = probe(list(MODULES.values()))
    yield "imports", guarded(lambda: imports(found))
    yield "CPU", guarded(lambda: cpu(found))
    yield "accelerators", guarded(lambda: accelerators(found))
    yield "memory and disk", guarded(lambda: [memory(), *disk(folders), *caches()])
    yield "network", guarded(hubs)
    if recipe is not None:
        yield f"recipe {recipe.name}", guarded(lambda: _recipe(recipe, out, found))


def guarded(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a check found; where it broke, that."""
    found: list[Finding] = []
    try:
        for finding in check():
            found.append(finding)
    except Exception as error:
        what = " ".join(f"this check broke ({type(error).__name__}: {error})".split())
        found.append(note(what, "please report it; the other checks stand"))
    return found


def _recipe(recipe: Path, out: str | None, found: Probe) -> Iterable[Finding]:
    if "keras_hub" not in found.imported:
        return [note("the recipe was not looked at, for Keras cannot be imported", "mend the packages first")]
    return recipe_paths(recipe, out)

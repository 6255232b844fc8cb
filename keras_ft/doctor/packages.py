"""Python and the packages: versions against the supported set, and whether they import."""

import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from keras_ft.doctor.finding import Finding, bad, note, ok
from keras_ft.doctor.probe import Probe

MODULES = {
    "tensorflow": "tensorflow",
    "tensorflow-text": "tensorflow_text",
    "keras": "keras",
    "keras-hub": "keras_hub",
    "tensorflow-serving-api": "tensorflow_serving.apis.predict_pb2",
    "numpy": "numpy",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "safetensors": "safetensors",
    "scikit-learn": "sklearn",
    "pyarrow": "pyarrow",
    "etils": "etils.epath",
}
"""Package → the module whose import shows that it works; tensorflow stands first, as others load it."""

REASONS = {
    "tensorflow-text 2.21": "its libraries do not load (undefined symbols)",
}
"""Package and version known not to work → why."""

EXTRAS_LEFT_OUT = ("all", "test", "docs")


def python() -> Finding:
    """The version of Python."""
    what = f"Python {platform.python_version()} at {sys.executable}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return ok(what)
    return bad(what, "make a virtual environment with Python 3.11, 3.12 or 3.13: TensorFlow 2.20 has no other wheels")


def packages() -> list[Finding]:
    """Every package that keras-ft requires, and those of each extra that is installed."""
    lines = _required()
    if not lines:
        return [bad("keras-ft itself is not installed", "run 'pip install --editable .' in its folder")]
    extras = distribution("keras-ft").metadata.get_all("Provides-Extra") or []
    findings = _group("keras-ft", requirements(lines))
    for extra in (name for name in extras if name not in EXTRAS_LEFT_OUT):
        wanted = requirements(lines, extra)
        missing = [it.name for it in wanted if installed(it.name) is None]
        if not missing:
            findings += _group(f"extra '{extra}'", wanted)
        elif extra == "serve":
            advice = "run: pip install 'keras-ft[serve]'"
            findings.append(note(f"'keras-ft serve' cannot run: {', '.join(missing)} missing", advice))
    return findings


def requirements(lines: Iterable[str], extra: str = "") -> list[Requirement]:
    """The requirements of an extra alone, or with no extra those of the package itself."""
    found = []
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if always if not extra else not always and marker and marker.evaluate({"extra": extra}):
            found.append(requirement)
    return found


def imports(found: Probe) -> list[Finding]:
    """What could and could not be imported, and what killed the attempt."""
    findings = []
    for name, module in MODULES.items():
        if module in found.failed:
            advice = f"run: pip install --force-reinstall --no-deps '{pinned(name)}'"
            findings.append(bad(f"'import {module}' fails: {found.failed[module]}", advice))
    if found.death:
        advice = "run it again with less else going on; if it stays, install in a fresh virtual environment"
        findings.append(bad(f"trying the packages ended early at {found.death}", advice))
    if found.imported:
        findings.append(ok(f"{len(found.imported)} of {len(MODULES)} packages were imported in a process of their own"))
    return findings


def installed(name: str) -> str | None:
    """The version of a package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def pinned(name: str) -> str:
    """A package with the versions that keras-ft supports, as pip takes it."""
    wanted = next((it for it in requirements(_required()) if canonicalize_name(it.name) == name), None)
    return f"{wanted.name}{wanted.specifier}" if wanted else name


def _required() -> list[str]:
    try:
        return requires("keras-ft") or []
    except PackageNotFoundError:
        return []


def _group(owner: str, wanted: list[Requirement]) -> list[Finding]:
    """One line for all that are right, and one for each that is not."""
    right, findings = [], []
    for requirement in wanted:
        found = installed(requirement.name)
        advice = f"run: pip install '{requirement.name}{requirement.specifier}'"
        if found is None:
            findings.append(bad(f"{requirement.name} is not installed", advice))
        elif requirement.specifier.contains(found, prereleases=True):
            right.append(f"{requirement.name} {found}")
        else:
            known = next((why for what, why in REASONS.items() if f"{requirement.name} {found}".startswith(what)), "")
            what = f"{requirement.name} {found} is installed; {requirement.specifier} is supported"
            findings.append(bad(what + (f": {known}" if known else ""), advice))
    return ([ok(f"{owner}: {', '.join(right)}")] if right else []) + findings

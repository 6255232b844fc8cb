"""Packages and settings that break each other."""

import json
import os
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from keras_ft.doctor.finding import Finding, bad, note
from keras_ft.doctor.packages import MODULES, installed, pinned

RIVALS = {
    "tensorflow": ("tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos", "tf-nightly"),
    "tensorflow-text": ("tensorflow-text-nightly",),
    "keras": ("keras-nightly",),
    "keras-hub": ("keras-hub-nightly",),
}
"""Package → others that write the same files, so that whichever came last is imported."""

ENVIRONMENT = Path("/proc/self/environ")  # as the process found it


def clashes() -> list[Finding]:
    """Packages that break each other."""
    return [*_rivals(), *_twice(), *_tensorflow_family(), *_unmet(), *_keras_settings()]


def _rivals() -> list[Finding]:
    findings = []
    for name, others in RIVALS.items():
        for other in others:
            if installed(other):
                advice = f"run: pip uninstall {other}; pip install --force-reinstall --no-deps '{pinned(name)}'"
                findings.append(bad(f"{other} overwrites files of {name}", advice))
    if installed("keras-nlp"):
        what = "keras-nlp is installed: the old name of keras-hub, which keras-ft uses"
        findings.append(note(what, "run 'pip uninstall keras-nlp' if nothing else needs it"))
    if installed("tf-keras") and os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() in ("1", "true"):
        advice = "unset it: keras-ft is written for Keras 3"
        findings.append(bad("TF_USE_LEGACY_KERAS is set, so that tf.keras is Keras 2 (tf-keras)", advice))
    return findings


def _twice() -> list[Finding]:
    places: dict[str, set[str]] = {}
    for found in distributions():
        places.setdefault(canonicalize_name(found.name or ""), set()).add(found.version)
    wanted = [*MODULES, "protobuf", "grpcio"]
    return [
        bad(
            f"{name} is installed twice ({', '.join(sorted(places[name]))})",
            f"run 'pip uninstall {name}' until nothing is left, then: pip install '{pinned(name)}'",
        )
        for name in wanted
        if len(places.get(name, ())) > 1
    ]


def _tensorflow_family() -> list[Finding]:
    """tensorflow-text and the serving API are compiled against one minor version of TensorFlow."""
    tensorflow = installed("tensorflow")
    if tensorflow is None:
        return []
    minor = ".".join(tensorflow.split(".")[:2])
    findings = []
    for name in ("tensorflow-text", "tensorflow-serving-api"):
        found = installed(name)
        if found and not found.startswith(f"{minor}."):
            what = f"{name} {found} does not fit tensorflow {tensorflow}: their minor versions must be equal"
            findings.append(bad(what, f"run: pip install '{pinned('tensorflow')}' '{pinned(name)}'"))
    return findings


def _unmet() -> list[Finding]:
    """Who asks for another version of a package that TensorFlow and the others share (protobuf above all)."""
    shared = {canonicalize_name(name) for name in (*MODULES, "protobuf", "grpcio", "absl-py", "h5py", "ml-dtypes")}
    findings = []
    for owner in distributions():
        for line in owner.requires or []:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:  # of an old package; pip itself passes over such lines
                continue
            name = canonicalize_name(requirement.name)
            if name not in shared or canonicalize_name(owner.name or "") == "keras-ft":
                continue
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            found = installed(name)
            if found and not requirement.specifier.contains(found, prereleases=True):
                ours = canonicalize_name(owner.name) in MODULES
                what = f"{owner.name} {owner.version} asks for {name}{requirement.specifier}; {found} is installed"
                advice = f"run: pip install '{name}{requirement.specifier}'"
                theirs = f"{owner.name} may not work; keras-ft does not use it"
                findings.append(bad(what, advice) if ours else note(what, theirs))
    return findings


def _keras_settings() -> list[Finding]:
    """Settings that change what keras, protobuf and TensorFlow do."""
    findings = []
    wanted = _wanted_backend()
    if wanted not in ("", "tensorflow"):
        what = f"Keras is set to the backend {wanted}; keras-ft's commands take tensorflow all the same"
        findings.append(note(what, "in Python programs, set KERAS_BACKEND=tensorflow before you import keras"))
    if os.environ.get("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION") == "python":
        what = "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python makes TensorFlow load models slowly"
        findings.append(note(what, "unset it"))
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        findings.append(note("TF_ENABLE_ONEDNN_OPTS=0 turns the quick matrix products off", "unset it"))
    return findings


def _wanted_backend() -> str:
    """What the user set, not what our own command line put in its place."""
    try:
        variables = (ENVIRONMENT.read_bytes() if ENVIRONMENT.exists() else b"").split(b"\0")
        for variable in variables:
            if variable.startswith(b"KERAS_BACKEND="):
                return variable.partition(b"=")[2].decode()
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        return str(json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend", ""))
    except (OSError, ValueError, AttributeError):
        return ""

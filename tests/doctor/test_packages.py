import pytest

from keras_ft.doctor import clashes, packages
from keras_ft.doctor.probe import Probe

REQUIRED = ["tensorflow~=2.20.0", "tensorflow-text~=2.20.1", 'uvicorn>=0.30; extra == "serve"']
VERSIONS = {"tensorflow": "2.20.0", "tensorflow-text": "2.20.1", "uvicorn": "0.54"}


class Distribution:
    """One installed package, as importlib.metadata shows it."""

    def __init__(self, name: str, version: str, *requires: str):
        self.name, self.version, self.requires = name, version, list(requires)
        self.metadata = self

    def get_all(self, key: str) -> list[str]:
        return ["serve"]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Packages by name → version, which tests change; `requires` of the installed ones stay empty."""
    versions = dict(VERSIONS)
    listed = [Distribution(name, version) for name, version in versions.items()]
    monkeypatch.setattr(packages, "requires", lambda name: REQUIRED)
    monkeypatch.setattr(packages, "distribution", lambda name: Distribution(name, "0.1.0"))
    for module in (packages, clashes):
        monkeypatch.setattr(module, "installed", versions.get)
    monkeypatch.setattr(clashes, "distributions", lambda: listed)
    monkeypatch.setattr(clashes, "ENVIRONMENT", tmp_path / "environ")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    versions["listed"] = listed
    return versions


def states(findings) -> list[str]:
    return [finding.state for finding in findings]


def test_the_supported_set_is_ok_and_named(machine):
    base, serve = packages.packages()
    assert states([base, serve]) == ["ok", "ok"]
    assert "tensorflow 2.20.0, tensorflow-text 2.20.1" in base.what
    assert serve.what == "extra 'serve': uvicorn 0.54"


def test_another_version_is_bad_with_the_command_that_mends_it(machine):
    machine["tensorflow-text"] = "2.21.0"
    found = [finding for finding in packages.packages() if finding.state == "bad"]
    assert len(found) == 1
    assert "2.21.0 is installed; ~=2.20.1 is supported: its libraries do not load" in found[0].what
    assert found[0].advice == "run: pip install 'tensorflow-text~=2.20.1'"


def test_a_missing_package_is_bad_and_a_missing_server_only_a_note(machine):
    del machine["tensorflow"], machine["uvicorn"]
    found = {finding.state: finding for finding in packages.packages()}
    assert found["bad"].what == "tensorflow is not installed"
    assert "keras-ft serve' cannot run: uvicorn missing" in found["note"].what


def test_keras_ft_that_is_not_installed_is_said(monkeypatch):
    def absent(name):
        raise packages.PackageNotFoundError(name)

    monkeypatch.setattr(packages, "requires", absent)
    assert "keras-ft itself is not installed" in packages.packages()[0].what


def test_an_old_python_is_bad(monkeypatch):
    assert packages.python().state == "ok"
    monkeypatch.setattr(packages.sys, "version_info", (3, 9, 0))
    assert packages.python().state == "bad"


def test_nothing_clashes_in_the_supported_set(machine):
    assert clashes.clashes() == []


def test_text_and_tensorflow_of_different_minor_versions_clash(machine):
    machine["tensorflow"] = "2.19.1"
    assert "tensorflow-text 2.20.1 does not fit tensorflow 2.19.1" in clashes.clashes()[0].what


def test_packages_that_overwrite_each_other_clash(machine):
    machine["tf-nightly"] = "2.21.0.dev1"
    machine["keras-nlp"] = "0.18"
    bad, note = clashes.clashes()
    assert (bad.state, note.state) == ("bad", "note")
    assert "tf-nightly overwrites files of tensorflow" in bad.what
    assert "pip uninstall keras-nlp" in note.advice


def test_a_package_installed_twice_clashes(machine):
    machine["listed"].append(Distribution("TensorFlow", "2.18.0"))
    assert "tensorflow is installed twice (2.18.0, 2.20.0)" in clashes.clashes()[0].what


def test_who_asks_for_another_protobuf_is_named(machine):
    machine["protobuf"] = "3.20.3"
    machine["listed"] += [
        Distribution("tensorflow", "2.20.0", "protobuf>=5.28.0"),
        Distribution("something", "1.0", "protobuf>=4", 'protobuf>=99; extra == "all"'),
        Distribution("old", "1.0", "protobuf<5"),
    ]
    found = {finding.what.split()[0]: finding for finding in clashes.clashes()}
    assert found["tensorflow"].state == "bad"
    assert "asks for protobuf>=5.28.0; 3.20.3 is installed" in found["tensorflow"].what
    assert found["something"].state == "note"
    assert "old" not in found


@pytest.mark.parametrize(
    ("variable", "value", "state"),
    [
        ("TF_USE_LEGACY_KERAS", "1", "bad"),
        ("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python", "note"),
        ("TF_ENABLE_ONEDNN_OPTS", "0", "note"),
    ],
)
def test_settings_that_harm_are_found(machine, monkeypatch, variable, value, state):
    machine["tf-keras"] = "2.20"
    monkeypatch.setenv(variable, value)
    (found,) = clashes.clashes()
    assert found.state == state
    assert variable in found.what


def test_another_backend_in_keras_json_is_noted(machine, tmp_path):
    (tmp_path / "environ").write_bytes(b"HOME=/root\0")
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert "backend torch" in clashes.clashes()[0].what
    (tmp_path / "environ").write_bytes(b"KERAS_BACKEND=jax\0")
    assert "backend jax" in clashes.clashes()[0].what


def test_imports_that_fail_or_kill_are_bad_and_named():
    found = packages.imports(
        Probe(imported=["numpy"], failed={"keras_hub": "ImportError: no x"}, death="numpy: killed")
    )
    assert states(found) == ["bad", "bad", "ok"]
    assert found[0].what == "'import keras_hub' fails: ImportError: no x"
    assert "keras-hub~=" in found[0].advice
    assert f"1 of {len(packages.MODULES)}" in found[2].what

import subprocess

import pytest

from keras_ft.doctor import accelerators
from keras_ft.doctor.probe import Probe

SMI = "NVIDIA L4, 550.90, 23034 MiB\n"


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """No device, no driver, no library, no variable."""
    monkeypatch.setattr(accelerators, "DEVICES", tmp_path)
    monkeypatch.setattr(accelerators, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(accelerators.shutil, "which", lambda name: None)
    monkeypatch.setattr(accelerators, "installed", lambda name: None)
    for name in (*accelerators.TPU_VARIABLES, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def has_nvidia(monkeypatch, output: str = SMI, code: int = 0):
    done = subprocess.CompletedProcess([], code, output, "")
    monkeypatch.setattr(accelerators.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(accelerators.subprocess, "run", lambda *args, **kwargs: done)


def test_a_machine_without_accelerators_is_ok():
    found = accelerators.accelerators(Probe(devices=["CPU"]))
    assert [finding.state for finding in found] == ["ok", "ok", "ok"]


def test_gpus_that_tensorflow_sees_are_named(monkeypatch):
    has_nvidia(monkeypatch, SMI * 2)
    (found,) = accelerators.gpus(Probe(devices=["CPU", "GPU", "GPU"], cuda=True))
    assert found.state == "ok"
    assert "2 GPUs: NVIDIA L4 (23034 MiB, driver 550.90)" in found.what
    assert "strategy: one" in found.advice


@pytest.mark.parametrize(
    ("cuda", "what"), [(False, "built without CUDA"), (True, "TensorFlow does not see it")]
)  # fmt: skip
def test_a_gpu_that_tensorflow_does_not_see_is_bad(monkeypatch, cuda, what):
    has_nvidia(monkeypatch)
    (found,) = accelerators.gpus(Probe(devices=["CPU"], cuda=cuda))
    assert found.state == "bad"
    assert what in found.what
    assert "tensorflow[and-cuda]" in found.advice


def test_a_driver_without_nvidia_smi_counts(bare_machine):
    (bare_machine / "driver").touch()
    (found,) = accelerators.gpus(Probe(devices=["CPU"], cuda=True))
    assert found.what.startswith("an NVIDIA GPU")


def test_nvidia_smi_without_a_gpu_is_no_gpu(monkeypatch):
    has_nvidia(monkeypatch, "", 9)
    assert accelerators.gpus(Probe(devices=["CPU"]))[0].what.startswith("no GPU")


def test_a_gpu_hidden_by_the_user_is_a_note(monkeypatch):
    has_nvidia(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert accelerators.gpus(Probe(devices=["CPU"]))[0].state == "note"


@pytest.mark.parametrize("sign", ["variable", "device", "vfio with libtpu"])
def test_a_tpu_is_a_note_that_says_which_engine_it_will_need(monkeypatch, bare_machine, sign):
    if sign == "variable":
        monkeypatch.setenv("COLAB_TPU_ADDR", "10.0.0.2:8470")
    elif sign == "device":
        (bare_machine / "accel0").touch()
    else:
        (bare_machine / "vfio").mkdir()
        (bare_machine / "vfio" / "0").touch()
        assert accelerators.tpu().state == "ok"  # any virtual machine may have it
        monkeypatch.setattr(accelerators, "installed", {"libtpu": "0.0.17"}.get)
    found = accelerators.tpu()
    assert found.state == "note"
    assert "runtime: {engine: jax}" in found.advice


@pytest.mark.parametrize(
    ("code", "state", "what"),
    [
        ("import json; print('noise'); print(json.dumps(['0.7', ['tpu TPU v5 lite']]))", "ok", "JAX 0.7 sees tpu TPU v5 lite"),
        ("raise RuntimeError('TPU is in use')", "note", "JAX does not start: RuntimeError: TPU is in use"),
        ("import time; time.sleep(60)", "note", "within 2 s"),
    ],
)  # fmt: skip
def test_jax_is_asked_in_a_process_of_its_own_with_a_limit(monkeypatch, code, state, what):
    monkeypatch.setattr(accelerators, "installed", lambda name: "0.7")
    monkeypatch.setattr(accelerators, "JAX_CODE", code)
    found = accelerators.jax(seconds=2)
    assert found.state == state
    assert what in found.what

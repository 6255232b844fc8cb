import pytest

from keras_ft.doctor import cpu
from keras_ft.doctor.probe import Probe


@pytest.fixture(autouse=True)
def no_container(monkeypatch, tmp_path):
    monkeypatch.setattr(cpu, "CGROUP", tmp_path)
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "state", "what"),
    [
        ("model name : Xeon\nflags : fpu avx avx2 avx512f avx512_bf16 amx_bf16\n", "ok", "AVX-512 (avx512_bf16), AMX (amx_bf16)"),
        ("model name : Core i5\nflags : fpu avx avx2\n", "ok", "AVX2; bfloat16 units: none"),
        ("model name : Celeron\nflags : fpu sse4_2\n", "bad", "CPU Celeron has no AVX"),
        ("Features : fp asimd sve bf16\n", "ok", "SVE; bfloat16 units: Arm (bf16)"),
        ("nothing known\n", "note", "not known"),
    ],
)  # fmt: skip
def test_the_units_are_read_from_the_flags(tmp_path, monkeypatch, text, state, what):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(cpu, "CPU_INFO", tmp_path / "cpuinfo")
    found = cpu.cpu(Probe())[1]
    assert found.state == state
    assert what in found.what


def test_the_type_that_was_measured_quicker_is_advised():
    def advice(float32: float, bfloat16: float) -> str:
        return cpu.cpu(Probe(milliseconds={"float32": float32, "bfloat16": bfloat16}))[2].advice

    assert "--dtype bfloat16 (measured 2.0 times as fast)" in advice(2.0, 1.0)
    assert "in float32" in advice(1.0, 8.0)
    assert "in float32" in advice(1.05, 1.0)  # not worth the lost digits
    assert cpu.cpu(Probe())[2].state == "note"


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, "ok"),
        ({"cpu.max": "max 100000"}, "ok"),
        ({"cpu.max": "150000 100000"}, "note"),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "ok"),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, "note"),
    ],
)
def test_a_containers_share_of_the_cores_is_noted(no_container, files, state):
    for name, text in files.items():
        (no_container / name).parent.mkdir(exist_ok=True)
        (no_container / name).write_text(text)
    found = cpu.cpu(Probe())[0]
    assert found.state == state
    if state == "note":
        assert "OMP_NUM_THREADS=2" in found.advice

import shutil
from collections import namedtuple

import pytest

from keras_ft.doctor import resources

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def no_container(monkeypatch, tmp_path):
    """20 GB free, no limits; tests write limits under `cgroup`."""
    (tmp_path / "meminfo").write_text("MemTotal: 30000000 kB\nMemAvailable: 20000000 kB\n")
    monkeypatch.setattr(resources, "MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(resources, "OWN_CGROUPS", tmp_path / "cgroups")
    monkeypatch.setattr(resources, "CGROUP", tmp_path / "cgroup")
    return tmp_path


def limit(folder, most: object, used: int, names: tuple[str, str, str]) -> None:
    folder.mkdir(parents=True)
    (folder / names[0]).write_text(f"{most}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} 1000000000\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def test_memory_is_the_machines_where_nothing_limits_it(no_container):
    found = resources.memory()
    assert (found.state, found.what) == ("ok", "20.5 GB of memory available")


@pytest.mark.parametrize(
    ("most", "used", "state"), [(9e9, 3e9, "ok"), (4e9, 2e9, "note"), (2e9, 2e9, "bad"), ("max", 2e9, "ok")]
)
def test_a_containers_limit_counts_and_page_cache_does_not(no_container, most, used, state):
    limit(no_container / "cgroup", most if most == "max" else int(most), int(used), V2)
    found = resources.memory()
    assert found.state == state
    assert ("container" in found.what) == (most != "max")


def test_the_limit_of_an_own_cgroup_of_version_1_counts(no_container):
    (no_container / "cgroups").write_text("3:cpu:/\n4:memory:/jobs/7\n0::/\n")
    limit(no_container / "cgroup/memory/jobs/7", 3_000_000_000, 1_000_000_000, V1)
    assert resources.memory().what == "3.0 GB of memory left within this container's limit"


def test_a_machine_without_proc_is_a_note(no_container):
    (no_container / "meminfo").unlink()
    assert resources.memory().state == "note"


@pytest.mark.parametrize(("free", "state"), [(1e8, "bad"), (1e9, "note"), (5e9, "ok")])
def test_little_disk_is_said_once_a_file_system(monkeypatch, tmp_path, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(9e9, 0, free))
    (found,) = resources.disk([tmp_path, tmp_path / "not" / "yet"])
    assert found.state == state


def test_writing_is_tried_and_leaves_nothing(tmp_path):
    assert resources.why_not_writable(tmp_path / "a" / "b") == ""
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    assert "is a file" in resources.why_not_writable(tmp_path / "file")
    assert "is a file" in resources.why_not_writable(tmp_path / "file" / "run")
    assert "tried in /proc" in resources.why_not_writable(resources.Path("/proc/nowhere/run"))


def test_a_cache_that_cannot_be_written_is_bad_and_a_hubs_only_a_note(monkeypatch, tmp_path):
    for variable in ("KERAS_FT_CACHE", "KAGGLEHUB_CACHE", "HF_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    assert [finding.state for finding in resources.caches()] == ["ok"]
    (tmp_path / "KERAS_FT_CACHE").touch()
    (tmp_path / "HF_HOME").touch()
    found = resources.caches()
    assert [finding.state for finding in found] == ["bad", "note"]
    assert found[0].advice == "set KERAS_FT_CACHE to a folder of yours"

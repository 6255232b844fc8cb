import os
import subprocess
import sys

import pytest

from keras_ft.huge_pages import SETTING, SINCE_GLIBC, TUNABLE, _are_given, _glibc, use_huge_pages

SHOW = """
import os, sys
from pathlib import Path
from keras_ft.huge_pages import use_huge_pages

print(os.getpid(), flush=True)
use_huge_pages(Path(sys.argv[1]))
print(os.environ.get("GLIBC_TUNABLES"))
print(sys.argv[2:])
"""
HELD = """
from keras_ft.huge_pages import use_huge_pages

use_huge_pages()
held = bytearray(256 * 2**20)
print(next(line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")))
"""
ON, OFF = f"{TUNABLE}=1", f"{TUNABLE}=0"
OTHER = "glibc.malloc.arena_max=2"
GIVEN, NOT_GIVEN = "always [madvise] never\n", "always madvise [never]\n"

pytestmark = pytest.mark.skipif(_glibc() < SINCE_GLIBC, reason="no such setting of the C library")


def run(code, *arguments, tunables=None):
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    environment |= {"GLIBC_TUNABLES": tunables} if tunables else {}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def setting(tmp_path):
    path = tmp_path / "enabled"
    path.write_text(GIVEN)
    return path


def test_the_process_starts_again_once_as_it_was_started(setting):
    first, second, tunables, arguments = run(SHOW, setting, "two words", "中")
    assert first == second
    assert tunables == ON
    assert arguments == "['two words', '中']"


@pytest.mark.parametrize(("before", "after"), [(OTHER, f"{OTHER}:{ON}"), (OFF, OFF), (ON, ON)])
def test_what_the_user_has_set_stays(setting, before, after):
    *_, tunables, _ = run(SHOW, setting, tunables=before)
    assert tunables == after


def test_nothing_starts_again_where_the_system_has_none(setting, monkeypatch):
    def refuse(*_):
        raise AssertionError("started again")

    monkeypatch.setattr(os, "execv", refuse)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    use_huge_pages(setting.parent / "absent")
    setting.write_text(NOT_GIVEN)
    use_huge_pages(setting)
    setting.write_text(GIVEN)
    monkeypatch.setattr("keras_ft.huge_pages._glibc", lambda: (2, 31))
    use_huge_pages(setting)
    assert "GLIBC_TUNABLES" not in os.environ


@pytest.mark.skipif(not _are_given(SETTING), reason="the system has no huge pages")
def test_memory_is_in_huge_pages():
    (kibibytes,) = run(HELD)
    assert int(kibibytes) > 128 * 1024

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

import keras_ft.__main__
from keras_ft import huge_pages
from keras_ft.huge_pages import SETTING, SINCE_GLIBC, STARTED_AGAIN, TUNABLE, use_huge_pages

SHOW = """
import os, sys
from pathlib import Path
from keras_ft.huge_pages import use_huge_pages

print(os.getpid(), flush=True)
if "strip" in sys.argv:  # as glibc does of a process that has more rights than its user
    os.environ.pop("GLIBC_TUNABLES", None)
use_huge_pages(Path(sys.argv[1]))
print(os.environ.get("GLIBC_TUNABLES"))
print(sys.argv[2:], "KERAS_FT_STARTED_AGAIN" in os.environ)
"""
HELD = """
from keras_ft.huge_pages import use_huge_pages

use_huge_pages()
held = bytearray(256 * 2**20)
print(next(line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")))
"""
ON, OFF = f"{TUNABLE}=1", f"{TUNABLE}=0"
OTHER = "glibc.malloc.arena_max=2"
ASKED_FOR = "always [madvise] never\n"

with_tunable = pytest.mark.skipif(huge_pages._glibc() < SINCE_GLIBC, reason="no such setting of the C library")


def run(code, *arguments, tunables=None):
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    environment |= {"GLIBC_TUNABLES": tunables} if tunables else {}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.fixture
def setting(tmp_path):
    path = tmp_path / "enabled"
    path.write_text(ASKED_FOR)
    return path


@with_tunable
def test_the_process_starts_again_once_as_it_was_started(setting):
    first, second, tunables, arguments = run(SHOW, setting, "two words", "中")
    assert first == second
    assert tunables == ON
    assert arguments == "['two words', '中'] False"


@with_tunable
def test_the_process_starts_again_once_even_if_the_library_is_not_told(setting):
    first, second, tunables, arguments = run(SHOW, setting, "strip")
    assert first == second
    assert tunables == "None"
    assert arguments == "['strip'] False"


@with_tunable
@pytest.mark.parametrize(("before", "after"), [(OTHER, f"{OTHER}:{ON}"), (OFF, OFF), (ON, ON)])
def test_what_the_user_has_set_stays(setting, before, after):
    *_, tunables, _ = run(SHOW, setting, tunables=before)
    assert tunables == after


@pytest.fixture
def started(monkeypatch):
    """The environments of processes that would have been started again."""
    environments = []
    monkeypatch.setattr(os, "execve", lambda path, arguments, environment: environments.append(environment))
    monkeypatch.setattr(huge_pages, "_glibc", lambda: SINCE_GLIBC)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    return environments


def test_nothing_starts_again_where_it_would_change_nothing(setting, started, monkeypatch):
    use_huge_pages(setting.parent / "absent")
    for text in ("[always] madvise never\n", "always madvise [never]\n"):
        setting.write_text(text)
        use_huge_pages(setting)
    setting.write_text(ASKED_FOR)
    monkeypatch.setattr(huge_pages, "_glibc", lambda: (2, 31))
    use_huge_pages(setting)
    assert started == []
    monkeypatch.setattr(huge_pages, "_glibc", lambda: SINCE_GLIBC)
    use_huge_pages(setting)
    assert [environment[STARTED_AGAIN] for environment in started] == ["1"]


def test_a_process_that_cannot_start_again_goes_on_as_it_is(setting, started, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "execve", refuse)
    use_huge_pages(setting)
    assert not {"GLIBC_TUNABLES", STARTED_AGAIN} & os.environ.keys()


def test_the_command_begins_with_it(monkeypatch):
    (command,) = [entry for entry in entry_points(group="console_scripts") if entry.name == "keras-ft"]
    assert command.value == "keras_ft.__main__:main"
    order = []
    monkeypatch.setattr(keras_ft.__main__, "use_huge_pages", lambda: order.append("pages"))
    monkeypatch.setattr("keras_ft.cli.main", lambda: order.append("command"))
    keras_ft.__main__.main()
    assert order == ["pages", "command"]


@with_tunable
@pytest.mark.skipif(not huge_pages._asked_for(SETTING), reason="the system gives them to all or to none")
def test_memory_is_in_huge_pages():
    (with_them,), (without,) = run(HELD), run(HELD, tunables=OFF)
    assert int(with_them) > 128 * 1024 > int(without)

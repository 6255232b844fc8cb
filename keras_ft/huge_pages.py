"""Memory in huge pages: of small ones, the weights of a model are more than a processor keeps track of."""

import os
import sys
from contextlib import suppress
from pathlib import Path

TUNABLE = "glibc.malloc.hugetlb"  # 1: ask for huge pages, as madvise(2) does
SINCE_GLIBC = (2, 35)
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
STARTED_AGAIN = "KERAS_FT_STARTED_AGAIN"  # in the environment in between


def use_huge_pages(setting: Path = SETTING) -> None:
    """Start this process again, as it was started, with its memory in huge pages, where the system has some on demand.

    The C library reads what it is told of this as it starts, from `GLIBC_TUNABLES`; one that says anything of
    `glibc.malloc.hugetlb`, 0 or 1, is left as it is. No effect but on Linux with glibc 2.35 or later, where huge pages
    are for those who ask. It has to be the first thing that a process does: what it has read from stdin is lost.

    Args:
        setting: what Linux does about them: `always [madvise] never`, the setting in brackets.
    """
    if os.environ.pop(STARTED_AGAIN, None):  # a process with more rights than its user is not told of tunables
        return
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if (
        TUNABLE in tunables
        or not (sys.executable and sys.orig_argv)
        or _glibc() < SINCE_GLIBC
        or not _asked_for(setting)
    ):
        return
    told = {"GLIBC_TUNABLES": ":".join(filter(None, [tunables, f"{TUNABLE}=1"])), STARTED_AGAIN: "1"}
    with suppress(OSError):  # it goes on with small pages
        os.execve(sys.executable, sys.orig_argv, os.environ | told)


def _glibc() -> tuple[int, ...]:
    with suppress(AttributeError, ValueError, OSError):  # another system, or another library
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return tuple(map(int, version.split("."))) if name == "glibc" else ()
    return ()


def _asked_for(setting: Path) -> bool:
    with suppress(OSError):
        return "[madvise]" in setting.read_text()
    return False

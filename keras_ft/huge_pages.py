"""Memory in huge pages: of small ones, the weights of a model are more than a processor keeps track of."""

import os
import sys
from contextlib import suppress
from pathlib import Path

TUNABLE = "glibc.malloc.hugetlb"  # 1: ask for huge pages, as madvise(2) does
SINCE_GLIBC = (2, 35)
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def use_huge_pages(setting: Path = SETTING) -> None:
    """Start this process again, as it was started, with its memory in huge pages, where the system has them.

    The C library reads what it is told of this as it starts, from `GLIBC_TUNABLES`; one that says anything of
    `glibc.malloc.hugetlb`, 0 or 1, is left as it is. No effect but on Linux with glibc 2.35 or later.

    Args:
        setting: what Linux does about them: `always [madvise] never`, the setting in brackets.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if TUNABLE in tunables or not sys.executable or _glibc() < SINCE_GLIBC or not _are_given(setting):
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, [tunables, f"{TUNABLE}=1"]))
    os.execv(sys.executable, sys.orig_argv)


def _glibc() -> tuple[int, ...]:
    with suppress(AttributeError, ValueError, OSError):  # another system, or another library
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return tuple(map(int, version.split("."))) if name == "glibc" else ()
    return ()


def _are_given(setting: Path) -> bool:
    with suppress(OSError):
        return "[never]" not in setting.read_text()
    return False

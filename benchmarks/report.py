"""What a benchmark leaves: a table on the terminal, and results/NAME.json with the machine it ran on."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("keras-ft", "keras", "keras-hub", "tensorflow", "tensorflow-text", "numpy")
CPU_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # what decides which matmul kernels run


@dataclass
class Bar:
    """What was promised, and what was found.

    Attributes:
        what: the quantity in words.
        bound: the promise.
        found: the measurement.
        at_most: whether the promise is that it is no more than the bound, rather than no less.
    """

    what: str
    bound: float
    found: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.found <= self.bound if self.at_most else self.found >= self.bound

    def __str__(self) -> str:
        verdict = "[green]met[/]" if self.met else "[red]not met[/]"
        return f"{self.what}: {_shown(self.found)}, at {'most' if self.at_most else 'least'} {self.bound:g}: {verdict}"


def machine() -> dict[str, Any]:
    """CPU, cores, the vector units that matter, what the C library is told, and how busy the machine is now."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    cpu = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = cpu.get("flags", "").split()
    return {
        "cpu": cpu.get("model name", platform.processor()),
        "cores": os.cpu_count(),
        "features": [name for name in CPU_FEATURES if name in flags],
        "glibc_tunables": os.environ.get("GLIBC_TUNABLES", ""),
        "load": round(os.getloadavg()[0], 2),
    }


def publish(
    name: str,
    title: str,
    rows: list[dict[str, Any]],
    bars: list[Bar],
    before: dict[str, Any],
    folder: Path = RESULTS,
) -> None:
    """Print the rows and the bars, write NAME.json, and exit with 1 if a bar is not met.

    Args:
        name: of the JSON file.
        title: above the table.
        rows: column → value; lists are kept for the file and not shown.
        bars: the promises.
        before: what `machine` said before the benchmark made it busy.
        folder: where the file goes.
    """
    versions = {package: version(package) for package in PACKAGES}
    results = {
        "benchmark": name,
        "date": date.today().isoformat(),
        "machine": before,
        "versions": {"python": platform.python_version(), **versions},
        "rows": rows,
        "bars": [{**asdict(bar), "met": bar.met} for bar in bars],
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console = Console()
    console.print(_table(title, rows))
    for bar in bars:
        console.print(str(bar), highlight=False)
    console.print(f"Written to {path}", highlight=False, soft_wrap=True)
    sys.exit(0 if all(bar.met for bar in bars) else 1)


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    columns = [name for name, value in rows[0].items() if not isinstance(value, list)]
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in columns))
    return table


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"

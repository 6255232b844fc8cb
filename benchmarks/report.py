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
    """The least that was promised, and what was found.

    Attributes:
        what: the quantity in words.
        least: the promise.
        found: the measurement.
    """

    what: str
    least: float
    found: float

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.found >= self.least


def machine() -> dict[str, Any]:
    """CPU, cores, the vector units that matter, and how busy the machine is now."""
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
        "load": round(os.getloadavg()[0], 2),
    }


def publish(name: str, title: str, rows: list[dict[str, Any]], bar: Bar, before: dict[str, Any]) -> None:
    """Print the rows and the bar, write results/NAME.json, and exit with 1 if the bar is not met.

    Args:
        name: of the JSON file.
        title: above the table.
        rows: column → value; lists are kept for the file and not shown.
        bar: the promise.
        before: what `machine` said before the benchmark made it busy.
    """
    versions = {package: version(package) for package in PACKAGES}
    results = {
        "benchmark": name,
        "date": date.today().isoformat(),
        "machine": before,
        "versions": {"python": platform.python_version(), **versions},
        "rows": rows,
        "bar": {**asdict(bar), "met": bar.met},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console = Console()
    console.print(_table(title, rows))
    verdict = "[green]met[/]" if bar.met else "[red]not met[/]"
    console.print(f"{bar.what}: {_shown(bar.found)}, promised at least {bar.least:g}: {verdict}", highlight=False)
    console.print(f"Written to {path}", highlight=False, soft_wrap=True)
    sys.exit(0 if bar.met else 1)


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
    return f"{value:.4f}" if value < 1 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"

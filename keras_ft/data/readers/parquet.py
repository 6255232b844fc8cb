"""`.parquet`: columns of Apache Arrow's types."""

from pathlib import Path
from typing import Any

from keras_ft.data.readers.lines import opened
from keras_ft.data.readers.registry import Numbered, reads
from keras_ft.errors import RequestError

ROWS_AT_ONCE = 1024


@reads(".parquet", unit="row")
def read_parquet(path: Path) -> Numbered:
    """Read rows, a thousand at a time; lists and structs become Python's lists and dicts, dates and times text."""
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with opened(path) as content, parquet.ParquetFile(content) as file:
            names = file.schema_arrow.names
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise RequestError(f"{path.name} has the column '{twice}' twice; names must differ")
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
                for record in _with_times_as_text(batch).to_pylist():
                    number += 1
                    yield number, record
    except (pyarrow.ArrowException, UnicodeDecodeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:160]
        where = f" after row {number}" if number else ""
        raise RequestError(f"{path.name} is not a Parquet file that can be read{where} ({reason})") from None


def _with_times_as_text(batch: Any) -> Any:
    """Python's own types hold microseconds at most."""
    from pyarrow import types

    for i, field in enumerate(batch.schema):
        if types.is_temporal(field.type):
            batch = batch.set_column(i, field.name, batch.column(i).cast("string"))
    return batch

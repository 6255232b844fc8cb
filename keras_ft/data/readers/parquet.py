"""`.parquet`: columns of Apache Arrow's types."""

from pathlib import Path

from keras_ft.data.readers.lines import opened
from keras_ft.data.readers.registry import Numbered, reads
from keras_ft.errors import RequestError

ROWS_AT_ONCE = 1024


@reads(".parquet", unit="row")
def read_parquet(path: Path) -> Numbered:
    """Read rows, a thousand at a time; lists and structs become Python's lists and dicts."""
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with opened(path) as content, parquet.ParquetFile(content) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:160]
        where = f" after row {number}" if number else ""
        raise RequestError(f"{path.name} is not a Parquet file that can be read{where} ({reason})") from None

"""Files and data sets → records. Importing this fills `READERS`."""

from keras_ft.data.readers import conll, delimited, json_lines, parquet, plain_text, squad  # noqa: F401
from keras_ft.data.readers.registry import READERS, Format, Numbered, Record, reads
from keras_ft.data.readers.source import Source, find_sources, read_records

__all__ = ["READERS", "Format", "Numbered", "Record", "Source", "find_sources", "read_records", "reads"]

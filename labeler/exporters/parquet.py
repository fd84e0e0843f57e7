"""parquet: typed columns, one file, for pandas, polars, DuckDB and pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from labeler.exporters.base import Tick
from labeler.exporters.media import Media
from labeler.exporters.rows import Kind, Row, Rows

BATCH = 5000


class Parquet:
    """`at` is text (ISO 8601), as in the other formats; the file's metadata has the class list under `earmark`."""

    name = "parquet"
    title = "Parquet"
    reader = "pandas, polars, DuckDB, Spark"
    holds = "One file with typed columns."
    read_with = 'pandas.read_parquet("{path}")'
    suffix = ".parquet"
    copies_audio = 0

    def refuses(self, classes: Sequence[str]) -> str | None:
        return None

    def made(self, path: Path) -> bool:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return b"earmark" in (pq.read_schema(path).metadata or {})
        except (pa.ArrowInvalid, OSError):
            return False

    def write(self, rows: Rows, media: Mapping[str, Media], target: Path, tick: Tick) -> None:
        import json

        import pyarrow as pa
        import pyarrow.parquet as pq

        classes = json.dumps({"classes": rows.classes}, ensure_ascii=False)
        schema = pa.schema([(name, arrow_type(kind)) for name, kind in rows.columns.items()], {"earmark": classes})
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            done = 0
            for batch in batches(rows, BATCH):
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                done += len(batch)
                tick(done, len(rows))


def arrow_type(kind: Kind) -> Any:
    """The Arrow type of a column's kind."""
    import pyarrow as pa

    return {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}[kind]


def batches(rows: Rows, size: int) -> Iterator[list[Row]]:
    """The rows in lists of at most `size`."""
    source = iter(rows)
    while batch := list(islice(source, size)):
        yield batch

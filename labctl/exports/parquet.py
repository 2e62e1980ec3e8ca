"""A run's table as Parquet: each column's unit and meaning in the metadata of its field, the run in that of the schema."""

from __future__ import annotations

from labctl.exports import Made, provenance
from labctl.exports.tables import library
from labctl.store import Run


def make(run: Run) -> Made:
    """One file, compressed with zstd. Raises UsageError where pyarrow is not installed."""
    pa, pq = library("pyarrow"), library("pyarrow.parquet")
    fields = [
        pa.field(
            column.name,
            pa.from_numpy_dtype(column.dtype),
            metadata={"unit": column.unit, "meaning": column.meaning, "label": column.label},
        )
        for column in run.header.columns
    ]
    about = {
        "labctl.provenance": provenance.as_json(provenance.facts(run)),
        "labctl.parameters": provenance.as_json(provenance.parameters(run)),
    }
    arrays = [pa.array(run[column.name]) for column in run.header.columns]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return Made({".parquet": sink.getvalue().to_pybytes()})

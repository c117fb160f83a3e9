"""Makes the Parquet files of the tests: python make.py, with pyarrow 26.0.1."""
import pyarrow as pa
import pyarrow.parquet as pq

message = pa.struct([("from", pa.string()), ("value", pa.string())])
nested = pa.schema([("id", pa.int64()), ("conversations", pa.list_(message)), ("score", pa.float64()), ("tags", pa.list_(pa.string())),
                    ("meta", pa.struct([("n", pa.int64()), ("ok", pa.bool_())]))])
rows = [
    dict(id=1, conversations=[{"from": "human", "value": 'a\n"b"'}, {"from": "gpt", "value": "\u00e9"}], score=0.5, tags=["x", None], meta=dict(n=None, ok=True)),
    dict(id=2, conversations=[], score=None, tags=None, meta=None),
    dict(id=3, conversations=None, score=2.0, tags=[], meta=dict(n=7, ok=False)),
]
pairs = pa.table(dict(prompt=["a", "c"], completion=["b", "d"]))
pq.write_table(pa.Table.from_pylist(rows, nested), "nested.parquet")
pq.write_table(pairs, "pairs.parquet", compression="zstd")
pq.write_table(pairs, "lz4.parquet", compression="lz4")

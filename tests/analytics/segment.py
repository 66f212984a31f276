"""One segment, read by pyarrow and by DuckDB with nothing from us, compared row by row with the records that went in.

    segment.py FOLDER     whose folders each have segment.parquet and records.jsonl, as the Rust test
                          `files_for_other_engines` writes them into $TIDELOG_PARQUET_OUT
"""

import json
import pathlib
import sys

import duckdb
import pyarrow.dataset
import pyarrow.parquet


def unhex(text):
    return None if text is None else bytes.fromhex(text)


def expected(folder):
    rows = []
    for line in (folder / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        headers = [(name, unhex(value)) for name, value in record["headers"]]
        micros = record["timestamp_ms"] * 1000
        rows.append((record["offset"], micros, unhex(record["key"]), unhex(record["value"]), headers))
    return rows


def pyarrow_rows(table):
    table = table.set_column(
        table.schema.get_field_index("timestamp"), "timestamp", table["timestamp"].cast("int64")
    )
    return [
        (row["offset"], row["timestamp"], row["key"], row["value"], [(h["key"], h["value"]) for h in row["headers"]])
        for row in table.to_pylist()
    ]


def duckdb_rows(source):
    query = f"""select "offset", epoch_us("timestamp"), key, value, headers from {source} order by "offset" """
    return [
        (offset, micros, key, value, [(h["key"], h["value"]) for h in headers])
        for offset, micros, key, value, headers in duckdb.sql(query).fetchall()
    ]


def same(engine, found, wanted):
    if found == wanted:
        print(f"{engine}: {len(found)} rows equal")
        return True
    print(f"{engine}: {len(found)} rows, {len(wanted)} expected", file=sys.stderr)
    for one, other in zip(found, wanted):
        if one != other:
            print(f"  found    {one}\n  expected {other}", file=sys.stderr)
            break
    return False


def check(folder):
    print(folder.name)
    wanted = expected(folder)
    file = folder / "segment.parquet"
    partitions = pyarrow.parquet.read_table(file).column("partition").unique().to_pylist()
    dataset = pyarrow.dataset.dataset(folder, format="parquet", exclude_invalid_files=True)
    results = [
        same("pyarrow", pyarrow_rows(pyarrow.parquet.read_table(file)), wanted),
        same("pyarrow dataset", pyarrow_rows(dataset.to_table()), wanted),
        same("DuckDB", duckdb_rows(f"'{file}'"), wanted),
        same("DuckDB glob", duckdb_rows(f"'{folder}/*.parquet'"), wanted),
        partitions == [3],
    ]
    # A filter that goes by statistics and indexes finds what is there.
    for offset, _, key, value, _ in wanted[:: max(1, len(wanted) // 10)]:
        at = pyarrow.parquet.read_table(file, filters=[("offset", "=", offset)])
        results.append(at.column("value").to_pylist() == [value])
        if key is not None:
            query = "select value from read_parquet(?) where key = ?"
            results.append((value,) in duckdb.execute(query, [str(file), key]).fetchall())
    return all(results)


def main(folder):
    checked = {part.name: check(part) for part in sorted(folder.iterdir())}
    if not checked or not all(checked.values()):
        sys.exit(f"the engines do not read what went in: {checked}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

"""Analytics engines over the bucket's objects, by glob, with nothing from us."""

import os

import duckdb
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
from duckdb_extensions import import_extension

from history import Digest, Digester


def endpoint():
    return os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")


def bucket_files():
    return pyarrow.fs.S3FileSystem(
        endpoint_override=endpoint(), scheme="http", region=os.environ["AWS_REGION"],
        access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"])


def objects(place):
    """Paths and sizes of all that lies below a place of the bucket."""
    selector = pyarrow.fs.FileSelector(place, recursive=True, allow_not_found=True)
    return {info.path: info.size for info in bucket_files().get_file_info(selector) if info.is_file}


def with_duckdb(place):
    connection = duckdb.connect()
    import_extension("httpfs")
    connection.sql("LOAD httpfs")
    connection.sql(f"""
        CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}', SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}',
                       REGION '{os.environ["AWS_REGION"]}', ENDPOINT '{endpoint()}', URL_STYLE 'path', USE_SSL false)""")
    count, total = connection.sql(f"""
        SELECT count(*), sum(('0x' || substr(md5(
            partition || '|' || "offset" || '|' || epoch_us(timestamp) // 1000 || '|' ||
            coalesce(to_base64(key), '~') || '|' || coalesce(to_base64(value), '~') || '|' ||
            array_to_string(list_transform(headers, h -> h.key || '=' || coalesce(to_base64(h.value), '~')), ',')
        ), 1, 15))::BIGINT)
        FROM read_parquet('s3://{place}/topics/*/*/data/*/*.parquet')""").fetchone()
    return Digest(count, int(total or 0))


def with_pyarrow(place):
    digester, files = Digester(), bucket_files()
    for path in sorted(path for path in objects(f"{place}/topics") if path.endswith(".parquet")):
        with files.open_input_file(path) as file:
            for batch in pq.ParquetFile(file).iter_batches():
                columns = [batch.column(name) for name in ("partition", "offset", "key", "value", "headers")]
                times = pc.divide(batch.column("timestamp").cast("int64"), 1000).to_pylist()
                rows = zip(*(column.to_pylist() for column in columns), times)
                for partition, offset, key, value, headers, timestamp in rows:
                    headers = [(header["key"], header["value"]) for header in headers]
                    digester.add(partition, offset, timestamp, key, value, headers)
    return digester.digest()


ENGINES = {"DuckDB": with_duckdb, "pyarrow": with_pyarrow}


def untiled(place, partitions, per_partition):
    """An empty text where each partition's objects cover all its offsets, each once."""
    ranges = {p: [] for p in range(partitions)}
    for path in objects(f"{place}/topics"):
        partition, name = path.split("/")[-2:]
        base, end, *_ = name.split("-")
        ranges[int(partition)].append((int(base), int(end)))
    for partition, found in ranges.items():
        due = 0
        for base, end in sorted(found):
            if base != due:
                return f"partition {partition}: an object begins at {base} where {due} was due"
            due = end + 1
        if due != per_partition:
            return f"partition {partition}: objects end at {due} of {per_partition}"
    return ""

"""The tokens that a job has paid for, by who was asked."""

import pyarrow as pa

from core.result import Role, Usage
from store.results.folder import JobFolder
from store.results.parquet import read_parquet
from store.results.schemas import SCHEMAS

COUNTED = ("prompt_tokens", "completion_tokens")


def paid_tokens(folder: JobFolder) -> dict[Role, Usage]:
    """Return the tokens of a job's finished shards, not those of calls that it took over; nothing if it asked nobody.

    A count is None that no endpoint gave.
    """
    files = sorted((folder.path / "calls").glob("*.parquet"))
    read = (read_parquet(file, SCHEMAS["calls"], ["role", "paid_by", *COUNTED]) for file in files)
    tables = [table for table in read if table is not None]
    if not tables:
        return {}
    calls = pa.concat_tables(tables)
    own = calls.filter(pa.compute.is_null(calls["paid_by"]))
    sums = own.group_by("role").aggregate([(name, "sum") for name in COUNTED])
    return {
        row["role"]: Usage(*(row[f"{name}_sum"] for name in COUNTED))
        for row in sorted(sums.to_pylist(), key=lambda row: str(row["role"]), reverse=True)
    }

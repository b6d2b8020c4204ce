"""The outputs of samples that were asked for more than once, and whether they differ."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from store.results.parquet import read_parquet, row_groups, spans
from store.results.schemas import SCHEMAS

KEYS: Final = ["task", "target", "sample"]
PARTS: Final = ["text", "tool_calls"]
"""What of an output tells it from others."""

Counts = Counter[tuple[str, str]]
"""A number by task and target."""


def has_trials(outputs: pa.Table) -> bool:
    """Whether there is more than one trial among outputs."""
    return bool(pc.max(outputs["trial"]).as_py())


def of_trial(rows: pa.Table, trial: int) -> pa.Table:
    """Return the rows of one trial."""
    return rows.filter(pc.equal(rows["trial"], trial))


def count_repeated(files: Iterable[Path]) -> tuple[Counts, Counts]:
    """Count the samples that have several outputs, and those whose outputs differ, a few of a file at a time."""
    repeated, varied = Counts(), Counts()
    distinct = [(part, "count_distinct", pc.CountOptions("all")) for part in PARTS]
    for path, samples in ((file, span) for file in files for span in _spans(file)):
        outputs = read_parquet(path, SCHEMAS["outputs"], [*KEYS, *PARTS], samples)
        if outputs is not None:
            samples = outputs.filter(pc.is_valid(outputs["text"])).group_by(KEYS)
            for sample in samples.aggregate([("text", "count"), *distinct]).to_pylist():
                of = sample["task"], sample["target"]
                repeated[of] += sample["text_count"] > 1
                varied[of] += any(sample[f"{part}_count_distinct"] > 1 for part in PARTS)
    return repeated, varied


def _spans(file: Path) -> Iterator[range]:
    groups = row_groups(file, SCHEMAS["outputs"])
    return spans(groups, range(min(groups).start, max(group.stop for group in groups)))

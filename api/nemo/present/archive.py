"""The archives of a job, made while they are sent: never whole in memory.

Both hold job.json, evaluation_results.json, the log, and results.json, which has every sample of
every task with its scores and the calls that were made for it.
"""

import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, product
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, NamedTuple, cast

import orjson
from starlette.responses import StreamingResponse

from core.job import STAGES, ListedJob
from core.plan import Shard
from core.result import Call, Output, Score
from core.text import visible
from store.results.checks import check_readable
from store.results.folder import JobFolder
from store.results.log import LogLine
from tasks.metrics.subject import Responses
from tasks.responses import responses_in

CHUNK_BYTES: Final = 1 << 16
TOP: Final = "artifacts/"
"""The folder that a tar archive unpacks to."""

ZIP: Final = "application/zip"
TAR: Final = "application/gzip"


Trial = tuple[int, int]
"""A sample, and how often it was asked before."""


class Entry(NamedTuple):
    """A file of an archive."""

    name: str
    content: Iterable[bytes]


def entries(job: ListedJob, folder: JobFolder, shown: bytes, results: bytes) -> list[Entry]:
    """Return the files of a job's archive; `shown` and `results` are the job and its scores as JSON.

    Raises ResultsMissing or SchemaMismatch if they cannot be read.
    """
    check_readable(folder)
    return [
        Entry("job.json", [shown]),
        Entry("evaluation_results.json", [results]),
        log_entry(job, folder),
        Entry("results.json", samples_json(folder)),
    ]


def log_entry(job: ListedJob, folder: JobFolder) -> Entry:
    """Return a job's log as a text file."""
    lines = folder.read_log().lines
    return Entry(f"{job.id.lower()}.log", map(_log_line, lines))


def samples_json(folder: JobFolder) -> Iterator[bytes]:
    """Yield the parts of a JSON object that lists each task's judged samples, shard by shard."""
    manifest = folder.read_manifest()
    yield b"{"
    for place, (task, shards) in enumerate(groupby(manifest.shards if manifest else (), lambda shard: shard.task)):
        yield (b"," if place else b"") + orjson.dumps(task) + b":["
        separator = b""
        parts = (part for shard in shards for part in folder.parts(shard))
        for sample in (sample for part in parts for sample in _samples(folder, part)):
            yield separator + sample
            separator = b","
        yield b"]"
    yield b"}"


def zip_stream(files: Iterable[Entry], time: datetime) -> Iterator[bytes]:
    """Yield the bytes of a zip archive; all its files are of that time."""
    sink = _Sink()
    # Of a file that can only be written to, zipfile wants no more than these two methods.
    with zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, time.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as file:
                for part in content:
                    file.write(part)
                    if sink.size >= CHUNK_BYTES:
                        yield sink.drain()
    yield sink.drain()


def tar_stream(files: Iterable[Entry], time: datetime, disk: Path | None = None) -> Iterator[bytes]:
    """Yield the bytes of a gzipped tar archive; all its files are of that time.

    A file's size stands before its content, so each waits in a temporary file, on the disk of a folder, until it is
    whole.
    """
    gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    for name, content in files:
        with SpooledTemporaryFile(max_size=CHUNK_BYTES, dir=None if disk is None else str(disk)) as spool:
            for part in content:  # writelines would keep all of it in memory
                spool.write(part)
            info = tarfile.TarInfo(TOP + name)
            info.size, info.mtime = spool.tell(), int(time.replace(tzinfo=UTC).timestamp())
            yield gzip.compress(info.tobuf(tarfile.PAX_FORMAT))
            spool.seek(0)
            while block := spool.read(CHUNK_BYTES):
                yield gzip.compress(block)
            yield gzip.compress(bytes(-info.size % tarfile.BLOCKSIZE))
    yield gzip.compress(bytes(2 * tarfile.BLOCKSIZE)) + gzip.flush()


def as_zip(files: Iterable[Entry], job: ListedJob, name: str) -> StreamingResponse:
    """Answer with a zip archive, called `name`."""
    return _download(zip_stream(files, job.created_at), ZIP, f"{name}.zip")


def as_tar(files: Iterable[Entry], job: ListedJob, name: str, disk: Path) -> StreamingResponse:
    """Answer with a gzipped tar archive, called `name`, whose parts wait on the disk of a folder."""
    return _download(tar_stream(files, job.created_at, disk), TAR, f"{name}.tar.gz")


def _download(content: Iterator[bytes], media_type: str, filename: str) -> StreamingResponse:
    headers = {"content-disposition": f'attachment; filename="{filename}"'}
    return StreamingResponse(content, media_type=media_type, headers=headers)


class _Sink:
    """A file that keeps what is written until it is drained."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        """Keep `data`."""
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is nowhere to flush to."""

    def drain(self) -> bytes:
        """Return what was written since the last call."""
        data, self._parts, self.size = b"".join(self._parts), [], 0
        return data


def _log_line(line: LogLine) -> bytes:
    time = f"{line.time:%Y-%m-%d %H:%M:%S},{line.time.microsecond // 1000:03}"
    return f"{time} - {line.level} - {visible(line.message)}\n".encode()


def _samples(folder: JobFolder, part: Shard) -> Iterator[bytes]:
    """Yield the samples of a part of a shard as JSON, each of their trials, once it is judged."""
    scores = folder.read_scores(part)
    if scores is None:
        return
    outputs = {(output.sample, output.trial): output for output in folder.read_outputs(part) or []}
    trials = range(1 + max((trial for _, trial in outputs), default=0))
    made = [call for stage in STAGES for call in folder.read_calls(stage, part)]
    calls, responses = _by_trial(made), responses_in(made)
    scored: defaultdict[Trial, list[Score]] = defaultdict(list)
    for score in scores:
        scored[score.sample, score.trial].append(score)
    for (sample, item), trial in product(enumerate(folder.read_samples(part), part.start), trials):
        yield orjson.dumps(
            {
                "item": item,
                "sample": _output(outputs.get((sample, trial)), responses),
                "metrics": _metrics(scored[sample, trial]),
                "requests": [_exchange(call) for call in calls[sample, trial]],
            }
        )


def _by_trial(calls: Sequence[Call]) -> defaultdict[Trial, list[Call]]:
    found: defaultdict[Trial, list[Call]] = defaultdict(list)
    for call in calls:
        found[call.key.sample, call.key.trial].append(call)
    return found


def _output(output: Output | None, responses: Responses) -> dict[str, Any]:
    if output is None:
        return {"output_text": None, "response": None}
    response = responses(output)
    return {"output_text": output.text, "response": orjson.Fragment(response) if response else None}


def _metrics(scores: Sequence[Score]) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for score in scores:
        value = "NaN" if score.value is None else score.value
        metrics.setdefault(score.metric, {"scores": {}})["scores"][score.name] = {"value": value, "stats": None}
    return metrics


def _exchange(call: Call) -> dict[str, Any]:
    return {"request": orjson.Fragment(call.request), "response": _response(call)}


def _response(call: Call) -> Any:
    if call.response is None:
        return None
    if call.outcome in ("answered", "refused"):
        return orjson.Fragment(call.response)
    # What came instead of an answer may be anything.
    try:
        return orjson.loads(call.response)
    except orjson.JSONDecodeError:
        return call.response

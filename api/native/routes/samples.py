"""The route of a job's samples: pages in JSON, or files that are made while they are sent."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response, StreamingResponse

from api.http.fields import PathText
from api.http.state import CurrentState
from api.native.found import find
from api.native.lists import AskedSamples, SamplesQuery, refusal, to_cursor
from api.native.present.whole_sample import to_whole_sample
from api.native.routes.jobs import PREFIX
from api.native.schema.samples import Format, SamplePage
from api.native.schema.whole_sample import WholeSample
from core.errors import InvalidInput
from store.results.checks import check_readable
from store.results.exports import csv_parts, jsonl_parts, parquet_parts, records
from store.results.folder import JobFolder
from store.results.samples import Samples
from tasks.samples.sample import sample_detail

PAGE_ROWS: Final = 100
MAX_PAGE_ROWS: Final = 1000
BLOCK_ROWS: Final = 5000

MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
FILES: Final[dict[str, dict[str, Any]]] = {media_type: {} for name, media_type in MEDIA_TYPES.items() if name != "json"}

router = APIRouter(prefix=PREFIX, tags=["Assay"])


@router.get("/{job_id}/samples", response_model=SamplePage, responses={200: {"content": FILES}})
def list_samples(job_id: PathText, asked: AskedSamples, state: CurrentState) -> Response:
    """Return what became of a job's samples, also while it runs: a page, or all of them as a file.

    `filter[FIELD]=VALUE` and `filter[FIELD][gte]=VALUE` (eq, neq, gt, gte, lt, lte) narrow them, by task,
    target, sample, truncated, empty, finish_reason, by metric, score, outcome, label, passed and value of one and
    the same score, by `score.NAME` and `item.COLUMN`; `search[output]=TEXT` by a text in the output, item, feedback
    or error.
    """
    folder = state.folder(find(state, job_id).id)
    try:
        return _page(folder, asked) if asked.format == "json" else _file(folder, asked)
    except InvalidInput as error:
        raise refusal("filter", error.message) from None


@router.get("/{job_id}/samples/{task:path}/{number}")
def get_sample(
    job_id: PathText,
    task: PathText,
    number: Annotated[int, Path(ge=0)],
    state: CurrentState,
    target: Annotated[str | None, Query()] = None,
    trial: Annotated[int | None, Query(ge=0)] = None,
) -> WholeSample:
    """Return one sample: its whole conversations, what each metric compared, what each judge was asked and said.

    Of all targets and trials, unless one is named.
    """
    folder = state.folder(find(state, job_id).id)
    return to_whole_sample(sample_detail(folder, task, number, target=target, trial=trial))


def _page(folder: JobFolder, asked: SamplesQuery) -> Response:
    limit = asked.limit or PAGE_ROWS
    if limit > MAX_PAGE_ROWS:
        raise refusal("limit", f"a page has at most {MAX_PAGE_ROWS} rows; ask for format=jsonl, csv or parquet")
    parts = _page_parts(folder, asked, limit)
    first = list(islice(parts, 2))
    return StreamingResponse(chain(first, parts), media_type=MEDIA_TYPES["json"])


def _page_parts(folder: JobFolder, asked: SamplesQuery, limit: int) -> Iterator[bytes]:
    """Yield a page, a block of rows at a time; what cannot be done shows before the second part."""
    with Samples.open(folder) as samples:
        found = samples.find(asked.selection, limit=limit + 1, after=asked.after)
        page = {
            "scores": list(map("/".join, samples.names.scores)),
            "next_cursor": to_cursor(found[limit - 1], asked.sort) if len(found) > limit else None,
            "coverage": samples.coverage._asdict(),
        }
        yield orjson.dumps(page)[:-1] + b',"data":['
        separator = b""
        for block in samples.load_each(found[:limit]):
            yield separator + b",".join(map(orjson.dumps, records(block)))
            separator = b","
        yield b"]}"


def _file(folder: JobFolder, asked: SamplesQuery) -> Response:
    check_readable(folder)
    parts = _parts(folder, asked)
    first = list(islice(parts, 1))
    names = {"Content-Disposition": f'attachment; filename="{folder.job_id}.{asked.format}"'}
    return StreamingResponse(chain(first, parts), media_type=MEDIA_TYPES[asked.format], headers=names)


def _parts(folder: JobFolder, asked: SamplesQuery) -> Iterator[bytes]:
    with Samples.open(folder) as samples:
        blocks = samples.blocks(asked.selection, size=BLOCK_ROWS, limit=asked.limit, after=asked.after)
        # The first block shows what cannot be done: it is read before anything is sent.
        blocks = chain(list(islice(blocks, 1)), blocks)
        match asked.format:
            case "jsonl":
                yield from jsonl_parts(blocks)
            case "csv":
                yield from csv_parts(blocks, samples.names.scores)
            case _:
                yield from parquet_parts(blocks)

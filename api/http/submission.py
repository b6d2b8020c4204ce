"""How a request becomes a job record: checked as far as that can be done at once, and one job however often it comes.

A client that got no answer sends the same request again, and cannot know whether the first one
arrived. It says so by `x-stainless-retry-count`, or names the request by an `Idempotency-Key`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import unquote

import orjson
from fastapi import Depends, Header, Request

from api.http.state import State
from core.errors import NameTaken
from core.job import TERMINAL, Job, NewJob, renamed, utcnow
from core.score_names import find_named, names_of_summaries
from tasks.datasets.found import check_places

RETRY_WINDOW: Final = timedelta(minutes=10)
"""For so long a retry is taken for the request before it; SDKs give up sooner."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a request says of itself: its path, its key if it has one, and whether it was sent before.

    One that `renames` takes another name where the one that it gives is taken. It wants its job to have the scores of
    these names, METRIC or METRIC/NAME, and to be refused otherwise.
    """

    path: str
    key: str | None
    is_retry: bool
    renames: bool = False
    scores: tuple[str, ...] = ()


def current_submission(
    request: Request,
    idempotency_key: Annotated[str | None, Header()] = None,
    x_stainless_retry_count: Annotated[str | None, Header()] = None,
    assay_rename: Annotated[str | None, Header()] = None,
    assay_scores: Annotated[str | None, Header()] = None,
) -> Submission:
    """Read the headers; a retry count that is no number is left alone."""
    count = (x_stainless_retry_count or "").strip("0")
    scores = tuple(unquote(name) for name in (assay_scores or "").split(",") if name)
    return Submission(request.url.path, idempotency_key or None, count.isdecimal(), assay_rename == "true", scores)


CurrentSubmission = Annotated[Submission, Depends(current_submission)]


def add_once(
    state: State, job: NewJob, keys: Mapping[str, str], *, sent: Mapping[str, Any], submission: Submission
) -> Job:
    """Record the job that the body `sent` asks for, or return the one that it has made before.

    Raises NameTaken unless the submission renames, Conflict if its key came before with another body, InvalidInput for
    a score that the job would not have, and DatasetUnreadable for a dataset that is known to be nowhere.
    """
    if job.spec and job.retry_of is None:  # which reads no dataset
        check_places(job.spec, state.settings)
    if job.spec is not None:
        for name in submission.scores:
            find_named(name, names_of_summaries(job.spec))
    marked = replace(
        job,
        digest=state.vault.fingerprint(orjson.dumps([submission.path, sent], option=orjson.OPT_SORT_KEYS)),
        idempotency_key=submission.key and state.vault.fingerprint(submission.key.encode()),
    )
    since = utcnow() - RETRY_WINDOW if submission.is_retry else None
    ciphertexts = state.vault.encrypt(keys)
    try:
        added = state.jobs.add(marked, ciphertexts, repeats_since=since)
    except NameTaken:
        if not submission.renames:
            raise
        added = state.jobs.add(renamed(marked), ciphertexts, repeats_since=since)
    if added.status in TERMINAL:  # failed at once: no engine will write what the `jobs` view shows
        state.folder(added.id).write_job(added)
    return added

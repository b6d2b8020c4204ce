"""The last stage: scores to summaries, recomputed from the rows, and whether the job has failed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final

from core import shown
from core.errors import AssayError, EndpointFailed, EndpointRefused
from core.result import CallOutcome, Outcome, Score, Summary
from store.results.checks import check_shard
from store.results.counts import CallEnd, call_ends, count_outputs
from store.results.usage import usage_by_model
from tasks.calls import ANSWERS
from tasks.engine.engine import Engine
from tasks.summaries.aggregator import Aggregator

FAILURES: Final[tuple[CallOutcome, ...]] = ("transient", "error", "not_attempted")
"""How a call ends that had no answer, the most telling first."""

NOT_HAD: Final[frozenset[Outcome]] = frozenset(
    {"target_error", "refused", "missing_field", "judge_error", "not_attempted"}
)
"""The outcomes of a sample that was not generated, or not judged."""


def aggregate(engine: Engine) -> list[Summary]:
    """Publish and return the job's summaries.

    Raises EndpointRefused or EndpointFailed, after they are published, if the models gave no answer at all, and
    EndpointFailed if more samples failed than the specification allows, or it needs a score and there is none.
    """
    params = engine.manifest.spec.params
    failures = Failures(params.max_failed, needs_scores=params.needs_scores)
    aggregator = Aggregator(engine.manifest.spec.tasks, params.trials)
    for shard in engine.manifest.shards:
        check_shard(engine.folder, shard)
        for part in engine.folder.parts(shard):
            failures.add(aggregator.take(engine.folder, part))
    summaries = aggregator.summaries(count_outputs(engine.folder))
    engine.folder.write_summaries(summaries)
    engine.report.usage = tuple(usage_by_model(engine.folder))
    engine.keep_notes()
    for summary in summaries:
        engine.log.say(f"{shown.title(summary)}: {shown.figure(summary)}")
    for error in silent_models(call_ends(engine.folder), reference=engine.manifest.spec.reference):
        raise error
    failures.check()
    engine.report.finished()
    return summaries


def silent_models(ends: Iterable[CallEnd], *, reference: str | None = None) -> Iterator[AssayError]:
    """Yield an error for each model that answered nothing of what it was asked, if none in its part did.

    A part is what the targets of a task do, what its judges do, or what the target named `reference` does. It is
    the user's error if the model refused whatever it was asked; what says 200 and is no answer refuses nothing.
    """
    by_model: defaultdict[tuple[str, str, str], dict[CallOutcome, CallEnd]] = defaultdict(dict)
    for end in ends:
        by_model[end.task, end.target, end.metric][end.outcome] = end
    parts = {model: _part(*model, reference) for model in by_model}
    answering = {parts[model] for model, by_outcome in by_model.items() if not ANSWERS.isdisjoint(by_outcome)}
    for (task, target, metric), by_outcome in by_model.items():
        failed = [by_outcome[outcome] for outcome in FAILURES if outcome in by_outcome]
        if failed and parts[task, target, metric] not in answering:
            model = f"the judge {metric!r}" if metric else f"the target {target!r}"
            is_unread = failed[0].status == HTTPStatus.OK
            kind = EndpointFailed if failed[0].outcome == "transient" or is_unread else EndpointRefused
            yield kind(f"task {task!r}: {model} answered no request: {failed[0].error}")


def _part(task: str, target: str, metric: str, reference: str | None) -> tuple[str, str]:
    return task, "judge" if metric else "reference" if target == reference else "target"


class Failures:
    """Counts the samples that could not be generated or judged, against the share that may be (None: all).

    Each trial of a sample counts as one: what share of the models' answers is missing does not depend on their number.
    With `needs_scores` at least one score must be there.
    """

    def __init__(self, allowed: float | None, *, needs_scores: bool = False) -> None:
        """Begin with nothing."""
        self._allowed = allowed
        self._needs_scores = needs_scores
        self._samples = 0
        self._repeated = False
        self._failed = 0
        self._scored = 0
        self._error: str | None = None
        self._complaint: str | None = None

    def add(self, scores: Iterable[Score]) -> None:
        """Take the scores of a shard."""
        samples: set[tuple[str, int, int]] = set()
        failed: dict[tuple[str, int, int], str | None] = {}
        for score in scores:
            samples.add((score.task, score.sample, score.trial))
            self._repeated = self._repeated or score.trial > 0
            self._scored += score.outcome == "scored"
            self._complaint = self._complaint or score.error
            if score.outcome in NOT_HAD:
                failed.setdefault((score.task, score.sample, score.trial), score.error)
        self._samples += len(samples)
        self._failed += len(failed)
        self._error = self._error or next(iter(failed.values()), None)

    def check(self) -> None:
        """Raise EndpointFailed if too many failed, or nothing was scored that must be."""
        what = "trials of samples" if self._repeated else "samples"
        if self._allowed is not None and self._failed > self._allowed * self._samples:
            raise EndpointFailed(
                f"{self._failed} of {self._samples} {what} could not be generated or judged, "
                f"more than {self._allowed:.0%}: {self._error}"
            )
        if self._needs_scores and not self._scored:
            raise EndpointFailed(f"none of {self._samples} {what} has a score: {self._complaint}")

"""What can be known of a judge from one job: how its replies could be read, what sways it, and whether people agree."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from core.metric import Judge, Preference
from core.plan import Shard
from core.result import Call, CallKey, Output, Score
from core.spec import EvaluationSpec
from core.stats.agreement import Agreement, cohen_kappa, spearman
from core.verdict import Verdict
from store.results.folder import JobFolder
from tasks.judging.grade import reading_of
from tasks.judging.verdict import Verdict as Reading
from tasks.judging.verdict import combine_passes

MOST: Final = 20_000
"""So many of a job's samples are looked at."""

LEAST_LABELS: Final = 50
LEAST_OF_CLASS: Final = 10
LEAST_KAPPA: Final = 0.4

Standing = Literal["unvalidated", "poor", "validated"]
Place = tuple[str, int, str, int]
"""A task, sample, target and trial."""

Key = tuple[str, str, str]
"""A task, a metric and a score."""


class Pair(NamedTuple):
    """What the judge and a person say of the same output."""

    score: Score
    verdict: Verdict


class Flips(NamedTuple):
    """Of the pairs that a judge saw in both orders, how many it decided by the place of an answer, and by which."""

    pairs: int
    flipped: int
    first: int


class Wins(NamedTuple):
    """Of the pairs of unlike length that a judge decided, how often the longer answer won."""

    decided: int
    longer: int


@dataclass(frozen=True, slots=True)
class JudgeFigures:
    """One score of a judge on one task, over the outputs that were looked at.

    `outcomes` are those of its scores. `length` tells whether longer answers get higher grades, `flips` and `wins` are
    those of preferences. `passed` holds the verdicts of people that say whether an output passes, `graded` those that
    give a number.
    """

    task: str
    metric: Judge
    name: str
    outcomes: Mapping[str, int]
    length: Agreement | None
    flips: Flips | None
    wins: Wins | None
    passed: Sequence[Pair]
    graded: Sequence[Pair]

    @property
    def table(self) -> list[list[int]]:
        """How many verdicts there are of each kind: people's pass and fail below each other, the judge's beside."""
        counts = Counter((pair.verdict.passed, pair.score.passed) for pair in self.passed)
        return [[counts[person, judge] for judge in (True, False)] for person in (True, False)]

    @property
    def kappa(self) -> Agreement | None:
        """How far the judge and people agree beyond chance, on what passes."""
        return cohen_kappa(self.table)

    @property
    def correlation(self) -> Agreement | None:
        """How far the judge's numbers and people's are in one order."""
        values = [(pair.score.value, pair.verdict.value) for pair in self.graded]
        known = [(a, b) for a, b in values if a is not None and b is not None]
        return spearman([a for a, _ in known], [b for _, b in known])

    @property
    def standing(self) -> Standing:
        """Whether people's verdicts are enough to tell, and what they tell."""
        passing, failing = map(sum, self.table)
        if passing + failing < LEAST_LABELS or min(passing, failing) < LEAST_OF_CLASS:
            return "unvalidated"
        kappa = self.kappa
        return "poor" if kappa is None or kappa.low < LEAST_KAPPA else "validated"

    @property
    def differing(self) -> list[Pair]:
        """The outputs on which the judge and people differ, the surest first."""
        passed = [pair for pair in self.passed if pair.verdict.passed != pair.score.passed]
        by_grade = sorted(self.graded, key=lambda pair: -abs((pair.score.value or 0) - (pair.verdict.value or 0)))
        return [*passed, *(pair for pair in by_grade if pair.score.value != pair.verdict.value and pair not in passed)]


@dataclass
class _Seen:
    """What the shards of a task held of one score."""

    scores: list[Score] = field(default_factory=list)
    flips: list[tuple[Reading, Reading]] = field(default_factory=list)
    wins: list[bool] = field(default_factory=list)
    lengths: list[tuple[int, float]] = field(default_factory=list)


def judge_figures(folder: JobFolder, verdicts: Iterable[Verdict]) -> list[JudgeFigures]:
    """Return the figures of a job's judges, score by score, of at most 20,000 samples that are judged by now.

    Raises Conflict before there is anything.
    """
    manifest = folder.need_manifest()
    judges = {
        task.name: {each.name: each for each in task.metrics if isinstance(each, Judge)} for task in manifest.spec.tasks
    }
    found: dict[Key, _Seen] = {}
    left = MOST
    for shard in manifest.shards:
        if judges[shard.task] and (left := left - len(shard)) >= 0 and folder.is_finished("judge", shard):
            for part in folder.parts(shard):
                _look(folder, part, manifest.spec, judges[shard.task], found)
    said = {(*_place(each), each.metric): each for each in verdicts}
    return [_figures(key, judges[key[0]][key[1]], seen, said) for key, seen in found.items()]


def _look(
    folder: JobFolder, shard: Shard, spec: EvaluationSpec, judges: Mapping[str, Judge], found: dict[Key, _Seen]
) -> None:
    lengths = {_place(each): len(each.text or "") for each in folder.read_outputs(shard) or ()}
    scores: dict[Key, list[Score]] = {}
    for score in folder.read_scores(shard) or ():
        if score.metric in judges:
            scores.setdefault((score.task, score.metric, score.name), []).append(score)
    preferring = {name for name, judge in judges.items() if isinstance(judge.scale, Preference)}
    calls = {call.key: call for call in folder.read_calls("judge", shard)} if preferring else {}
    for key, own in scores.items():
        seen = found.setdefault(key, _Seen())
        seen.scores += own
        if key[1] in preferring:
            seen.flips += _both_orders(judges[key[1]], key[2], calls)
            first, second = (each.name for each in spec.targets if each.name != spec.reference)
            seen.wins += _longer_wins(own, lengths, first, second)
        else:
            seen.lengths += [(lengths.get(_place(each), 0), each.value) for each in own if each.value is not None]


def _both_orders(judge: Judge, name: str, calls: Mapping[CallKey, Call]) -> Iterator[tuple[Reading, Reading]]:
    """Yield what a judge said of each pair in both orders, where both could be read."""
    for key, call in calls.items():
        other = calls.get(key._replace(ordinal=1)) if key.metric == judge.name and key.ordinal == 0 else None
        if other is not None:
            first, second = (reading_of(judge, each)[name] for each in (call, other))
            if isinstance(first, Reading) and isinstance(second, Reading):
                yield first, second


def _longer_wins(scores: Iterable[Score], lengths: Mapping[Place, int], first: str, second: str) -> Iterator[bool]:
    """Yield for each decided pair whether the longer answer won; A is that of the `first` target."""
    for score in scores:
        a, b = (lengths.get((score.task, score.sample, target, score.trial), 0) for target in (first, second))
        if a != b and score.label in ("A", "B"):
            yield (score.label == "A") == (a > b)


def _figures(
    key: Key, judge: Judge, seen: _Seen, said: Mapping[tuple[str, int, str, int, str], Verdict]
) -> JudgeFigures:
    task, metric, name = key
    pairs = [Pair(score, verdict) for score in seen.scores if (verdict := said.get((*_place(score), metric)))]
    flipped = [(a, b) for a, b in seen.flips if combine_passes(a, b) is not a]
    first = sum(a.label == b.label == "A" for a, b in flipped)
    return JudgeFigures(
        task,
        judge,
        name,
        Counter(score.outcome for score in seen.scores),
        spearman([float(a) for a, _ in seen.lengths], [b for _, b in seen.lengths]),
        Flips(len(seen.flips), len(flipped), first) if seen.flips else None,
        Wins(len(seen.wins), sum(seen.wins)) if seen.wins else None,
        [pair for pair in pairs if pair.verdict.passed is not None and pair.score.passed is not None],
        [pair for pair in pairs if pair.verdict.value is not None and pair.score.value is not None],
    )


def _place(of: Score | Output | Verdict) -> Place:
    return of.task, of.sample, of.target, of.trial

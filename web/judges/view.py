"""What the page of a job's judges shows: how each was read, what sways it, and where people see it otherwise."""

from dataclasses import dataclass
from typing import Final

from core.result import Outcome
from core.stats.agreement import Agreement
from core.stats.proportion import wilson
from tasks.judging.figures import LEAST_LABELS, LEAST_OF_CLASS, JudgeFigures, Pair, Standing
from web.links import sample_url
from web.samples.query import job_url, url
from web.text import count, number, percent

STANDINGS: Final[dict[Standing, str]] = {
    "unvalidated": f"Nobody can tell yet: it takes {LEAST_LABELS} verdicts of people, {LEAST_OF_CLASS} of either kind. "
    "They are given on the pages of samples.",
    "poor": "It agrees with people hardly more than chance would: do not rely on it.",
    "validated": "It agrees with people.",
}
MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of a judge, in words, with what it means, and where the samples are that it counts."""

    name: str
    value: str
    meaning: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Differing:
    """An output that the judge and a person see otherwise."""

    text: str
    url: str
    judge: str
    person: str
    note: str


@dataclass(frozen=True, slots=True)
class JudgeView:
    """A score of a judge; `table` is empty without a person's verdict on what passes."""

    label: str
    model: str
    kind: str
    standing: Standing
    advice: str
    given: str
    facts: list[Fact]
    table: list[list[int]]
    differing: list[Differing]
    more: int


def judge_view(found: JudgeFigures, job_id: str) -> JudgeView:
    """Return a score of a judge as the page shows it."""
    differing = found.differing
    return JudgeView(
        label=" / ".join(dict.fromkeys((found.task, found.metric.name, found.name))),
        model=found.metric.endpoint.model,
        kind=found.metric.scale.kind,
        standing=found.standing,
        advice=STANDINGS[found.standing],
        given=_given(found),
        facts=[*_read(found, job_id), *_swayed(found), *_agreeing(found)],
        table=found.table if found.passed else [],
        differing=[_differing(pair, job_id) for pair in differing[:MOST_SHOWN]],
        more=max(0, len(differing) - MOST_SHOWN),
    )


def _given(found: JudgeFigures) -> str:
    """Say how many verdicts of people there are, while they are too few."""
    if found.standing != "unvalidated" or not found.passed:
        return ""
    passing, failing = map(sum, found.table)
    return f"So far: {passing:,} pass, {failing:,} fail."


def _read(found: JudgeFigures, job_id: str) -> list[Fact]:
    asked = sum(found.outcomes.get(word, 0) for word in ("scored", "judge_unparsable", "judge_error"))
    unread = found.outcomes.get("judge_unparsable", 0)
    lost = found.outcomes.get("judge_error", 0)

    def where(outcome: Outcome) -> str:
        query = (("filter[task]", found.task), ("filter[metric]", found.metric.name), ("filter[outcome]", outcome))
        return url(job_url(job_id, "samples"), query)

    return [
        Fact("Asked", count(asked), "outputs that it was to grade"),
        Fact(
            "Not understood",
            _share(unread, asked),
            "replies from which no verdict could be read",
            where("judge_unparsable") if unread else None,
        ),
        Fact(
            "Not answered",
            _share(lost, asked),
            "calls that failed or came to nothing",
            where("judge_error") if lost else None,
        ),
    ]


def _swayed(found: JudgeFigures) -> list[Fact]:
    facts = []
    if found.flips:
        pairs, flipped, first = found.flips
        told = f"pairs decided otherwise when the answers change places; {first:,} of them for what came first"
        facts.append(Fact("Flips on swap", _share(flipped, pairs), told))
    if found.wins:
        share = _share(found.wins.longer, found.wins.decided)
        facts.append(Fact("Longer wins", share, "decided pairs of answers that are not of one length"))
    if found.length:
        told = "rank correlation of answers' lengths with their grades; better answers may well be longer"
        facts.append(Fact("Length", _figure(found.length), told))
    return facts


def _agreeing(found: JudgeFigures) -> list[Fact]:
    facts = []
    if found.passed:
        (right, missed), (lenient, refused) = found.table
        total = right + missed + lenient + refused
        facts += [
            Fact("Agreement", _share(right + refused, total), "of people's verdicts are the judge's too"),
            Fact("Sensitivity", _share(right, right + missed), "of what passes for people passes for the judge"),
            Fact("Specificity", _share(refused, lenient + refused), "of what fails for people fails for the judge"),
        ]
        if kappa := found.kappa:
            facts.append(Fact("Cohen's kappa", _figure(kappa), "agreement beyond chance, from -1 to 1"))
    if correlation := found.correlation:
        facts.append(Fact("Rank correlation", _figure(correlation), "of the judge's numbers with people's"))
    return facts


def _share(part: int, of: int) -> str:
    if not of:
        return "–"
    low, high = wilson(part, of)
    return f"{part:,} of {of:,}: {percent(part / of)} [{percent(low)}, {percent(high)}]"


def _figure(found: Agreement) -> str:
    """Return a figure with its limits, which a table that never varies does not have."""
    limits = f"{number(found.low)}, {number(found.high)}" if found.low < found.high else "–"
    return f"{number(found.value)} [{limits}]"


def _differing(pair: Pair, job_id: str) -> Differing:
    score, verdict = pair
    return Differing(
        f"{score.task}, sample {score.sample} of {score.target}" + (f", trial {score.trial}" if score.trial else ""),
        sample_url(job_id, score.task, score.sample),
        _said(score.passed, score.value),
        _said(verdict.passed, verdict.value),
        verdict.note or "",
    )


def _said(passed: bool | None, value: float | None) -> str:
    words = [] if passed is None else ["pass" if passed else "fail"]
    return ", ".join([*words, *([] if value is None else [number(value)])])

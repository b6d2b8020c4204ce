"""The page of one sample: what was asked and answered, how each metric saw it, and what a person says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from markupsafe import Markup

from core.result import Output, Score
from core.verdict import Verdict
from tasks.samples.conversation import Exchange, Image, Message
from tasks.samples.sample import MetricDetail, OutputDetail, SampleDetail
from web import text
from web.samples.markdown import rendered

LONGEST: Final = 20_000
"""So many characters of a text are shown; the whole is a link away."""

LONGEST_VALUE: Final = 5_000

MOST_RENDERED: Final = 8
"""So many outputs of a sample are rendered, which takes a while of one that is made for that."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it is shown; of a long one so many characters are `left_out`. `markup` is what its Markdown means."""

    shown: str
    left_out: int = 0
    markup: Markup | None = None

    def cut(self, longest: int) -> "Text":
        """Return what is shown of it where less is."""
        over = max(0, len(self.shown) - longest)
        return Text(self.shown[:longest], self.left_out + over) if over else self


@dataclass(frozen=True, slots=True)
class Said:
    """A message: who said it, what they thought and said, and what else was in it."""

    role: str
    text: Text
    thinking: Text | None
    tool_calls: list[tuple[str, Text]]
    images: list[str]


@dataclass(frozen=True, slots=True)
class Talk:
    """A call as a conversation, with what it took; `came` is what came in the place of a reply."""

    model: str | None
    sent: list[Said]
    reply: Said | None
    came: Text | None
    error: str | None
    took: str
    settings: str


@dataclass(frozen=True, slots=True)
class Grade:
    """A score: its value, or the outcome in its place; `kind` is its class."""

    name: str
    text: str
    kind: str
    feedback: Text | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a metric made of an output."""

    name: str
    type: str
    grades: list[Grade]
    compared: list[tuple[str, Text]]
    talks: list[Talk]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a sample with one target in one trial; a person is `asked` about its metrics, the judged first."""

    target: str
    trial: int
    model: str | None
    is_reference: bool
    outcome: str
    flags: list[str]
    text: Text
    error: str | None
    talk: Talk | None
    metrics: list[Judged]
    asked: list[str]
    verdicts: list[Verdict]


def answers(detail: SampleDetail, verdicts: Sequence[Verdict], *, rendering: bool = False) -> list[Answer]:
    """Return what became of a sample, a target and trial each, with what the Markdown of the first outputs means."""
    found = [_answer(each, verdicts) for each in detail.outputs]
    most = MOST_RENDERED if rendering else 0
    return [*map(_rendered, found[:most]), *found[most:]]


def item(detail: SampleDetail) -> list[tuple[str, Text]]:
    """Return the columns of a sample's row with their values, the most telling first."""
    return [(name, _text(_written(detail.item[name]), LONGEST_VALUE)) for name in detail.columns]


def _answer(detail: OutputDetail, verdicts: Sequence[Verdict]) -> Answer:
    output = detail.output
    return Answer(
        target=output.target,
        trial=output.trial,
        model=detail.model,
        is_reference=detail.is_reference,
        outcome=output.outcome,
        flags=_flags(output),
        text=_text(output.text or ""),
        error=output.error,
        talk=_talk(detail.exchange, told=output.error) if detail.exchange else None,
        metrics=[_judged(each, output) for each in detail.metrics],
        asked=[each.metric.name for each in sorted(detail.metrics, key=lambda each: not each.exchanges)],
        verdicts=[each for each in verdicts if (each.target, each.trial) == (output.target, output.trial)],
    )


def _rendered(answer: Answer) -> Answer:
    talk = answer.talk
    if talk and talk.reply:
        talk = replace(talk, reply=replace(talk.reply, text=_with_markup(talk.reply.text)))
    return replace(answer, text=_with_markup(answer.text), talk=talk)


def _with_markup(text: Text) -> Text:
    return replace(text, markup=None if text.left_out else rendered(text.shown))


def _flags(output: Output) -> list[str]:
    flags = [name for name, is_so in (("cut off", output.truncated), ("empty", output.empty)) if is_so]
    return flags if output.outcome == "scored" else [output.outcome, *flags]


def _judged(detail: MetricDetail, of: Output) -> Judged:
    return Judged(
        name=detail.metric.name,
        type=detail.metric.type,
        grades=[_grade(each, told=of.error) for each in detail.scores],
        compared=[(name, _text(_written(value), LONGEST_VALUE)) for name, value in detail.compared.items()],
        talks=[_talk(each) for each in detail.exchanges],
    )


def _grade(score: Score, *, told: str | None) -> Grade:
    passed = {True: "passed", False: "failed", None: ""}[score.passed]
    said = [] if score.value is None else [f"{score.value:g}"]
    if score.label and score.label != passed:
        said.append(score.label)
    return Grade(
        name=score.name,
        text=" · ".join([*said, *([passed] if passed else [])]) if score.value is not None else score.outcome,
        kind="warn" if score.value is None else {"passed": "good", "failed": "bad", "": ""}[passed],
        feedback=_text(score.feedback, LONGEST_VALUE) if score.feedback else None,
        error=None if score.error == told else score.error,
    )


def _talk(exchange: Exchange, *, told: str | None = None) -> Talk:
    call, usage = exchange.call, exchange.call.usage
    tokens = {"sent": usage.prompt_tokens, "made": usage.completion_tokens, "thinking": usage.reasoning_tokens}
    counted = [f"{number:,} tokens {name}" for name, number in tokens.items() if number is not None]
    tries = f"{call.attempts} attempt{'' if call.attempts == 1 else 's'}"
    return Talk(
        model=exchange.model,
        sent=[_said(each) for each in exchange.sent],
        reply=_said(exchange.reply) if exchange.reply else None,
        came=_text(exchange.response) if exchange.response else None,
        error=None if call.error == told else call.error,
        took=", ".join([text.duration(call.seconds), tries, *counted]),
        settings=", ".join(f"{name} {_written(value)}" for name, value in exchange.settings.items()),
    )


def _said(message: Message) -> Said:
    return Said(
        role=message.role,
        text=_text(message.text),
        thinking=_text(message.thinking) if message.thinking else None,
        tool_calls=[(call.name, _text(call.arguments, LONGEST_VALUE)) for call in message.tool_calls],
        images=[_image(each) for each in message.images],
    )


def _image(image: Image) -> str:
    if image.url is not None:
        return f"image at {image.url}"
    size = "" if image.bytes is None else f", {text.size(image.bytes)}"
    return f"{image.media_type or 'image'}{size}"


def _text(whole: str | None, longest: int = LONGEST) -> Text:
    return Text(whole or "").cut(longest)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def read_verdict(form: Mapping[str, str]) -> tuple[bool | None, float | None, str | None]:
    """Return what a person has said by a form: whether it passes, its value, and a note. Raises ValueError."""
    passed = {"correct": True, "incorrect": False}.get(form.get("verdict", ""))
    value = float(form["score"]) if form.get("score", "").strip() else None
    if value is not None and not abs(value) < float("inf"):
        raise ValueError(f"{form['score']!r} is no finite number")
    note = form.get("note", "").strip() or None
    if note and note != note.encode(errors="replace").decode():
        raise ValueError("its note is not text in UTF-8")
    return passed, value, note

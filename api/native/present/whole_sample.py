"""One sample in the words of the native API."""

from dataclasses import asdict
from datetime import UTC, datetime

from api.native.schema import whole_sample as wire
from api.native.schema.samples import SampleScore
from core.result import Score
from tasks.samples.conversation import Exchange, Message
from tasks.samples.sample import MetricDetail, OutputDetail, SampleDetail


def to_whole_sample(detail: SampleDetail) -> wire.WholeSample:
    """Return a sample with all that came of it as it is shown."""
    return wire.WholeSample(
        job=detail.job_id,
        task=detail.task,
        sample=detail.sample,
        item=detail.item,
        outputs=[_output(each) for each in detail.outputs],
    )


def _output(detail: OutputDetail) -> wire.OutputOfSample:
    output = detail.output
    return wire.OutputOfSample(
        target=output.target,
        trial=output.trial,
        model=detail.model,
        is_reference=detail.is_reference,
        output=output.text,
        reasoning=output.reasoning,
        finish_reason=output.finish_reason,
        truncated=output.truncated,
        empty=output.empty,
        outcome=output.outcome,
        error=output.error,
        exchange=detail.exchange and _exchange(detail.exchange),
        metrics=[_metric(each) for each in detail.metrics],
    )


def _metric(detail: MetricDetail) -> wire.MetricOfOutput:
    return wire.MetricOfOutput(
        metric=detail.metric.name,
        type=detail.metric.type,
        compared=detail.compared,
        exchanges=[_exchange(each) for each in detail.exchanges],
        scores=[_score(each) for each in detail.scores],
    )


def _exchange(exchange: Exchange) -> wire.Exchange:
    call = exchange.call
    return wire.Exchange(
        model=exchange.model,
        ordinal=call.key.ordinal,
        outcome=call.outcome,
        error=call.error,
        status=call.status,
        settings=exchange.settings,
        sent=[_message(each) for each in exchange.sent],
        reply=exchange.reply and _message(exchange.reply),
        finish_reason=exchange.finish_reason,
        response=exchange.response,
        started_at=datetime.fromtimestamp(call.started_at, UTC) if call.started_at else None,
        seconds=call.seconds,
        attempts=call.attempts,
        usage=wire.Tokens(**asdict(call.usage)),
        paid_by=call.paid_by,
    )


def _message(message: Message) -> wire.Message:
    return wire.Message.model_validate(message)


def _score(score: Score) -> SampleScore:
    return SampleScore(**{name: getattr(score, name) for name in SampleScore.model_fields})

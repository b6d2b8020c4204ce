"""The answers of models as they came, for templates that read them: they are kept with their calls alone."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from core.plan import Shard
from core.result import Call, Output
from store.results.folder import JobFolder
from store.results.parquet import missing
from tasks.metrics.subject import Responses


def responses_in(calls: Iterable[Call]) -> Responses:
    """Return what finds the answer behind an output among its shard's calls; one that the output has is that."""
    answers = {
        (call.key.sample, call.key.target, call.key.trial): call.response
        for call in calls
        if call.key.role == "target" and call.outcome == "answered"
    }
    return lambda output: output.response or answers.get((output.sample, output.target, output.trial))


def responses_of(folder: JobFolder, shard: Shard) -> Responses:
    """Return what finds the answers behind a shard's outputs, and reads the calls once it is asked for one.

    That raises ResultsMissing where the calls are gone.
    """

    @cache
    def read() -> Responses:
        if not folder.has_calls("generate", shard):
            raise missing(folder.calls_file("generate", shard))
        return responses_in(folder.read_calls("generate", shard))

    return lambda output: output.response or read()(output)


def without_copies(outputs: Sequence[Output], calls: Iterable[Call]) -> list[Output]:
    """Return outputs without the answers that stand in their calls, which earlier releases kept with both."""
    answers, bare = responses_in(calls), [replace(output, response=None) for output in outputs]
    return [each if answers(each) == output.response else output for output, each in zip(outputs, bare, strict=True)]

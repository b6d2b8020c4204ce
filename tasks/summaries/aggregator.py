"""Scores to summaries: one for each score of a metric on a task's target."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from core.metric import Bleu, MetricSpec
from core.plan import Shard
from core.result import Score, Summary
from core.score_names import CORPUS
from core.spec import TaskSpec
from store.results.counts import OutputCount, count_outputs
from store.results.folder import JobFolder
from store.results.scan import read_figures
from tasks.metrics.bleu import BleuCounts
from tasks.summaries.figures import Said, Scored, SummaryKey, is_preference, summary_of_corpus, summary_of_rows
from tasks.summaries.repeats import repeats_of
from tasks.summaries.units import Standing

OutputCounts = Mapping[tuple[str, str], OutputCount]


def complete_summaries(folder: JobFolder) -> list[Summary] | None:
    """Return a job's summaries; what an earlier release did not know of them is made from the rows. None without any.

    Raises ResultsMissing or SchemaMismatch for rows that cannot be read.
    """
    stored = folder.read_summaries()
    later = folder.later_fields("summaries", 0)
    manifest = folder.read_manifest() if stored and later else None
    if stored is None or manifest is None:
        return stored
    aggregator = Aggregator(manifest.spec.tasks, manifest.spec.params.trials)
    for part in (part for shard in manifest.shards for part in folder.parts(shard)):
        aggregator.take(folder, part)
    made = {_key(summary): summary for summary in aggregator.summaries(count_outputs(folder))}
    return [
        replace(summary, **{name: getattr(made[_key(summary)], name) for name in later})
        if _key(summary) in made
        else summary
        for summary in stored
    ]


class Aggregator:
    """Collects the values and outcomes of scores, shard by shard.

    A score of a metric that none of the `tasks` has is on no known scale.
    """

    def __init__(self, tasks: Iterable[TaskSpec] = (), trials: int = 1) -> None:
        """Begin with nothing; each sample has so many trials."""
        self._trials = trials
        tasks = list(tasks)
        self._metrics = {(task.name, metric.name): metric for task in tasks for metric in task.metrics}
        self._standing = defaultdict(Standing, {task.name: Standing(task) for task in tasks})
        self._scored: defaultdict[SummaryKey, Scored] = defaultdict(Scored)

    def take(self, folder: JobFolder, part: Shard) -> list[Score]:
        """Take a part of a shard, and return its scores, as far as they count. Raises ResultsMissing if it has none."""
        if self._standing[part.task].reads_rows:
            self.place(part, folder.read_samples(part))
        scores = list(read_figures(folder, part))
        self.add(scores)
        return scores

    def place(self, shard: Shard, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take what a shard's samples count as."""
        self._standing[shard.task].take(shard.start, rows)

    def add(self, scores: Iterable[Score]) -> None:
        """Take the scores of a shard."""
        for score in scores:
            scored = self._scored[score.task, score.target, score.metric, score.name]
            scored.outcomes[score.outcome] += 1
            if score.value is None:
                scored.excluded.append(score.sample)
            else:
                scored.values.append(score.value)
                scored.samples.append(score.sample)
                if self._trials > 1:
                    scored.passed.append(score.passed)
            if score.detail is not None:
                scored.counts.append(BleuCounts(**orjson.loads(score.detail)))

    def summaries(self, outputs: OutputCounts | None = None) -> list[Summary]:
        """Return one summary for each (task, target, metric, name), in the order they came.

        Raises ResultsMissing for a value that there cannot be.
        """
        return [summary for key in self._scored for summary in self._summaries(key, outputs or {})]

    def _summaries(self, key: SummaryKey, outputs: OutputCounts) -> Iterator[Summary]:
        task, target, name, _ = key
        scored, standing, metric = self._scored[key], self._standing[task], self._metrics.get((task, name))
        said = said_of(metric, task, target, outputs)
        if not isinstance(metric, Bleu) or metric.score is None:
            summary = summary_of_rows(key, scored, standing, metric, said)
            if self._trials > 1:
                summary = replace(summary, repeats=repeats_of(scored, standing, metric, key[3], self._trials))
            yield summary
        if isinstance(metric, Bleu):
            corpus = (task, target, name, metric.score or CORPUS)
            yield summary_of_corpus(corpus, scored, standing, metric, said)


def said_of(metric: MetricSpec | None, task: str, target: str, outputs: OutputCounts) -> Said:
    """Return what there is to say of the outputs that a metric is about; a preference is about all targets'."""
    compares = is_preference(metric)
    about = [count for of, count in outputs.items() if of == (task, target) or (compares and of[0] == task)]
    return Said(
        truncated=sum(count.truncated for count in about) / max(1, sum(count.outputs for count in about)),
        identical=any(count.repeated for count in about) and not any(count.varied for count in about),
    )


def _key(summary: Summary) -> SummaryKey:
    return summary.task, summary.target, summary.metric, summary.name

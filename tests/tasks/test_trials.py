"""Each sample asked several times: what is asked, what belongs together, and what the trials tell."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import EndpointFailed
from core.job import Count
from core.plan import cut_shards, has_room
from core.result import Score, Summary
from core.spec import EvaluationSpec, ModelTarget, Params, RecordedTarget
from core.stats.proportion import wilson
from store.results.views import query
from tasks.aggregate import Failures
from tasks.calls import ShardIncomplete
from tasks.engine.calls import Stopped
from tasks.fsck.results import fsck
from tasks.generate import generate_shard
from tasks.summaries.aggregator import Aggregator, complete_summaries
from tests.scripted import Answer, Received, failure, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, preferring, recorded, rows, spec

QA = [{"question": f"q{i}", "answer": f"a{i}"} for i in range(2)]


def by_seed(call: Received) -> Answer:
    """Say what was asked, whom, and with which seed; to a judge that all is well."""
    body = call["body"]
    return text('{"score": 3}' if body["model"] == "j" else f"{last_content(body)} {body['seed']}")


def seeded(lab: Lab, name: str = "target", seed: int = 7) -> ModelTarget:
    return model(lab.model.url, name).model_copy(update={"generation": {"seed": seed}})


# What is asked.


def test_each_sample_is_asked_so_often_each_time_with_a_seed_of_its_own(lab: Lab) -> None:
    lab.model.script = by_seed
    job = lab.add(spec(seeded(lab), QA, CORRECT, judge(lab.model.url), trials=3))
    lab.carry_out(job)
    folder = lab.workspace.folder(job.id)
    (shard,) = lab.shards(job)
    said = [(output.sample, output.trial, output.text) for output in folder.read_outputs(shard) or []]
    assert said == [(i, trial, f"q{i} {7 + trial}") for i in range(2) for trial in range(3)]
    assert [(score.sample, score.trial, score.metric) for score in lab.scores(job)] == [
        (i, trial, metric) for metric in ("correct", "graded") for i in range(2) for trial in range(3)
    ]
    assert Counter(last_content(call["body"]) for call in lab.model.calls if call["body"]["model"] == "j") == Counter(
        f"grade q{i} {7 + trial}" for i in range(2) for trial in range(3)
    )
    report = fsck(folder)
    assert (report.difference, report.samples, report.outputs, report.scores) == (None, 2, 6, 12)
    assert lab.progress(job).counts["qa"]["generate"] == Count(2, 2)


@pytest.mark.parametrize("generation", [{}, {"seed": None}, {"seed": True}, {"seed": "x"}])
def test_what_is_no_number_is_no_seed_to_count_up(lab: Lab, generation: dict[str, bool | str | None]) -> None:
    target = model(lab.model.url).model_copy(update={"generation": generation})
    lab.carry_out(lab.add(spec(target, rows(1), CORRECT, trials=2)))
    assert [{name: call["body"][name] for name in generation} for call in lab.model.calls] == [generation] * 2


def test_a_trial_that_failed_for_now_is_asked_again_alone(lab: Lab) -> None:
    lab.model.script = lambda call: failure(503) if call["body"]["seed"] == 8 else by_seed(call)
    job = lab.add(spec(seeded(lab), QA, CORRECT, trials=3))
    with lab.engaged(job) as engine:
        (shard,) = engine.manifest.shards
        with pytest.raises(ShardIncomplete, match="2 of 6 calls"):
            generate_shard(engine, shard, final=False)
        asked = Counter(call["body"]["seed"] for call in lab.model.calls)
        lab.model.script = by_seed
        generate_shard(engine, shard, final=True)
    again = Counter(call["body"]["seed"] for call in lab.model.calls) - asked
    assert (asked, again) == ({7: 2, 8: 2, 9: 2}, {8: 2})


@pytest.mark.parametrize("wrong", [0, -1, 1001, "many", 1.5])
def test_a_number_of_trials_that_cannot_be_is_refused_by_name(wrong: object) -> None:
    with pytest.raises(ValidationError, match="trials"):
        Params.model_validate({"trials": wrong})


def test_outputs_that_are_recorded_cannot_be_asked_for_again() -> None:
    with pytest.raises(ValidationError, match=r"params\.trials is 2, and the outputs of target 'said' are recorded"):
        spec(recorded("said"), QA, CORRECT, trials=2)
    with pytest.raises(ValidationError, match="target 'old'"):
        spec([model("http://x/v1"), RecordedTarget(name="old", column="said")], QA, CORRECT, trials=2)


def test_a_pause_and_a_new_beginning_ask_no_trial_twice(lab: Lab) -> None:
    job = lab.add(spec(seeded(lab), [{"question": f"q{i}"} for i in range(8)], judge(lab.model.url), trials=3))
    with lab.engaged(job) as engine:

        def pausing(call: Received) -> Answer:
            if len(lab.model.calls) == 10:
                engine.pause()
            return by_seed(call)

        lab.model.script = pausing
        with pytest.raises(Stopped):
            generate_shard(engine, engine.manifest.shards[0], final=False)
    assert 10 <= len(lab.model.calls) < 24
    lab.model.script = by_seed
    lab.carry_out(job)
    asked = Counter((last_content(call["body"]), call["body"].get("seed")) for call in lab.model.calls)
    assert (len(asked), set(asked.values())) == (2 * 24, {1})
    assert fsck(lab.workspace.folder(job.id)).difference is None


# What belongs together.


def test_a_preference_holds_the_same_trials_of_two_targets_against_each_other(lab: Lab) -> None:
    lab.model.script = lambda call: text('{"choice": "A"}') if call["body"]["model"] == "j" else by_seed(call)
    targets = [seeded(lab, "x", 10), seeded(lab, "y", 20)]
    job = lab.add(spec(targets, QA, preferring(lab.model.url, swap=False), trials=2))
    lab.carry_out(job)
    asked = sorted(last_content(call["body"]) for call in lab.model.calls if call["body"]["model"] == "j")
    assert asked == [f"A=q{i} 1{trial} B=q{i} 2{trial}" for i in range(2) for trial in range(2)]
    assert [(score.sample, score.target, score.trial) for score in lab.scores(job)] == [
        (i, "x", trial) for i in range(2) for trial in range(2)
    ]
    assert fsck(lab.workspace.folder(job.id)).difference is None


@pytest.mark.parametrize("kind", ["asked", "recorded"])
def test_an_output_is_held_against_the_same_trial_of_a_reference_or_the_only_one(lab: Lab, kind: str) -> None:
    lab.model.script = by_seed
    gold = seeded(lab, "gold", 20) if kind == "asked" else RecordedTarget(name="gold", column="answer")
    held = judge(lab.model.url, "{{ sample.output_text }} against {{ sample.reference_text }}")
    asked = spec([seeded(lab, seed=10), gold], QA, held)
    twice = asked.params.model_dump() | {"trials": 2}
    job = lab.add(EvaluationSpec.model_validate(asked.model_dump() | {"reference": "gold", "params": twice}))
    lab.carry_out(job)
    found = sorted(last_content(call["body"]) for call in lab.model.calls if call["body"]["model"] == "j")
    against = {"asked": "q{i} 2{trial}", "recorded": "a{i}"}[kind]
    assert found == [f"q{i} 1{trial} against {against.format(i=i, trial=trial)}" for i in (0, 1) for trial in (0, 1)]
    assert fsck(lab.workspace.folder(job.id)).difference is None


# What trials tell.


def scores(trials: Sequence[Sequence[float | None]]) -> list[Score]:
    return [
        Score("qa", sample, "target", trial, "correct", "string-check", "judge_error" if x is None else "scored", x)
        for sample, each in enumerate(trials)
        for trial, x in enumerate(each)
    ]


def summary(given: list[Score], k: int) -> Summary:
    aggregator = Aggregator(spec(model("http://x/v1"), [], CORRECT).tasks, k)
    aggregator.add(given)
    (made,) = aggregator.summaries()
    return made


def test_known_figures_of_four_trials() -> None:
    # As `trials-binary-k4` in tests/core/stats/vectors.json: passes 4, 3, 1, 3, 0, 4, 2, 3 of 4.
    passes: list[list[float | None]] = [
        [1, 1, 1, 1],
        [1, 0, 1, 1],
        [0, 0, 0, 1],
        [1, 1, 0, 1],
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [0, 1, 0, 1],
        [1, 1, 1, 0],
    ]
    made = summary(scores(passes), 4)
    assert (made.samples, made.trials, made.count, made.ci_method) == (8, 4, 32, "score")
    assert made.standard_error == pytest.approx(0.125)
    assert [made.ci_low, made.ci_high] == pytest.approx([0.33650894467751324, 0.8456054956034645], abs=1e-9)
    repeats = made.repeats
    assert repeats is not None
    assert repeats["within_variance"] == pytest.approx(1 / 6)
    assert repeats["between_variance"] == pytest.approx(1 / 12)
    assert repeats["rerun_stderr"] == pytest.approx(0.07216878364870322)
    assert (repeats["k"], repeats["enough_trials"], repeats["too_few_trials"]) == (4, False, 0)
    assert (repeats["pass_at_k"], repeats["pass_hat_k"]) == (7 / 8, 2 / 8)
    assert (repeats["pass_hat_k_low"], repeats["pass_hat_k_high"]) == pytest.approx(wilson(2, 8))
    assert repeats["consistency"] == 3 / 8
    # 2c(4 - c) / 12 is 1/2 for 3 passes or 1, and 2/3 for 2.
    assert repeats["flip_rate"] == pytest.approx((4 / 2 + 2 / 3) / 8)


def test_a_trial_that_was_not_scored_is_no_failure() -> None:
    made = summary(scores([[1.0, None, 1.0], [1.0, 0.0, 0.0], [None, None, None]]), 3)
    assert (made.mean, made.samples, made.trials, made.nan_count) == (0.6, 2, 3, 4)
    assert made.repeats is not None
    assert (made.repeats["pass_at_k"], made.repeats["too_few_trials"]) == (1.0, 2)
    assert made.repeats["consistency"] == 0.5


def test_where_samples_differ_much_more_than_their_trials_there_are_enough_of_these() -> None:
    made = summary(scores([[1.0] * 3] * 20 + [[0.0] * 3] * 20 + [[1.0, 0.0, 1.0]]), 3)
    assert made.repeats is not None
    assert made.repeats["enough_trials"] is True


def test_without_trials_there_are_no_repeats() -> None:
    assert summary(scores([[1.0], [0.0]]), 1).repeats is None


TRIALS = st.lists(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=3, max_size=3), min_size=1, max_size=12)


@given(TRIALS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_shards_changes_no_bit(trials: list[list[float | None]], chance: random.Random) -> None:
    given = scores(trials)
    shuffled = chance.sample(given, len(given))
    made, other = summary(given, 3), summary(shuffled, 3)
    assert other == replace(made, outcomes=other.outcomes)
    assert Counter(other.outcomes) == Counter(made.outcomes)


def test_trials_that_all_gave_the_same_are_a_caution_and_others_are_not(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT, trials=2))
    (same,) = lab.carry_out(job)
    assert same.cautions == ["few_samples", "identical_trials"]
    lab.model.script = by_seed
    (other,) = lab.carry_out(lab.add(spec(seeded(lab), QA, CORRECT, trials=2)))
    assert other.cautions == ["few_samples"]
    folder = lab.workspace.folder(job.id)
    assert folder.read_summaries() == [same] == complete_summaries(folder)
    off = same.repeats and {**same.repeats, "pass_at_k_low": (same.repeats["pass_at_k_low"] or 0) + 1e-6}
    folder.write_summaries([replace(same, repeats=off)])
    found = fsck(folder).difference
    assert found is not None
    assert found.problem == "repeats of qa / target / correct / string-check"


def test_trials_keep_the_clusters_and_weights_of_their_samples_and_are_asked_for_in_sql(lab: Lab) -> None:
    """Of four samples of two texts two pass always, one every second time; the fourth weighs nothing."""
    lab.model.script = lambda call: text("ab"[last_content(call["body"]) == "sometimes" and call["body"]["seed"] % 2])
    given = [
        {"question": asked, "answer": "a", "text": i // 2, "share": share}
        for i, (asked, share) in enumerate([("always", 1), ("sometimes", 2), ("always", 1), ("sometimes", 0)])
    ]
    asked = spec(seeded(lab, seed=0), given, CORRECT, trials=2)
    grouped = asked.tasks[0].model_copy(update={"cluster": "text", "weight": "share"})
    job = lab.add(asked.model_copy(update={"tasks": (grouped,)}))
    (made,) = lab.carry_out(job)
    folder = lab.workspace.folder(job.id)
    assert (made.mean, made.clusters, made.samples, made.trials) == (0.75, 2, 4, 2)
    assert made.repeats is not None
    assert (made.repeats["pass_at_k"], made.repeats["pass_hat_k"], made.repeats["flip_rate"]) == (1.0, 0.5, 0.5)
    # The text that weighs 2 has a variance of 1/2: 2 of its 2 trials' weights 2 in all 8 move the mean by 1/4.
    assert made.repeats["rerun_stderr"] == 0.25
    assert fsck(folder).difference is None
    statement = f"SELECT (repeats->>'pass_hat_k')::DOUBLE, repeats->>'k' FROM summaries WHERE job_id = '{job.id}'"
    assert query(lab.workspace.results, statement)[1] == [(0.5, "2")]


def test_each_trial_counts_as_one_among_those_that_may_fail() -> None:
    failures = Failures(0.3)
    failures.add(scores([[1.0, 1.0, None], [1.0, 0.0, None], [1.0, 1.0, 1.0]]))
    failures.check()
    failures.add([replace(score, sample=9) for score in scores([[None, None, None]])])
    with pytest.raises(EndpointFailed, match="5 of 12 trials of samples could not be generated or judged"):
        failures.check()


def test_shards_are_the_smaller_the_more_often_each_sample_is_asked() -> None:
    assert [len(shard) for shard in cut_shards({"qa": 30}, 2, trials=5)] == [5] * 6
    assert [has_room([1] * begun, 8, trials=5) for begun in (4, 5)] == [True, False]

"""Every figure against the library or high-precision computation that its vector names as its source."""

import json
from collections.abc import Callable, Mapping, Sequence
from math import fsum, isclose
from pathlib import Path
from typing import Any

import pytest

from core.stats.adjust import benjamini_hochberg, holm
from core.stats.agreement import Agreement, cohen_kappa, spearman
from core.stats.change import score_change
from core.stats.difference import Difference, Pairs, compared, few_test
from core.stats.interval import SHARE, Interval, ScoreScale
from core.stats.mean import Estimate, effective_size, estimated_mean, missing_bounds
from core.stats.power import detectable, samples_needed
from core.stats.proportion import wilson
from core.stats.repeats import attempts, consistency, flip_rate, spread
from core.stats.tango import Changes, mcnemar
from core.stats.units import Rows, jackknife_error
from core.stats.verdict import verdict
from tests.core.stats.exact import clopper_pearson

Json = dict[str, Any]

CASES = json.loads((Path(__file__).parent / "vectors.json").read_text())["cases"]
LATER = {"rogan_gladen", "ppi_mean", "betting_cs", "betting_paired"}
"""Of what is not built yet: cards of judges, and stopping early."""


def scale_of(given: Json) -> ScoreScale | None:
    return None if given["scale_min"] is None else ScoreScale(given["scale_min"], given["scale_max"])


def limits(interval: Interval | tuple[float, float]) -> Json:
    low, high = (interval.low, interval.high) if isinstance(interval, Interval) else interval
    return {"ci_low": low, "ci_high": high}


def figures_of(estimate: Estimate, n: int) -> Json:
    return {
        "n": n,
        "mean": estimate.value,
        "standard_error": estimate.standard_error,
        "df": estimate.groups - 1,
        "clusters": estimate.groups,
        **limits(estimate.interval),
    }


def mean(given: Json) -> Json:
    scale = scale_of(given) if "scale_min" in given else None
    found = figures_of(estimated_mean(Rows(given["values"]), scale), len(given["values"]))
    if scale:
        share = (found["mean"] - scale.low) / scale.width
        found["n_eff"] = effective_size(share, found["standard_error"] / scale.width)
    return found


def all_equal(given: Json) -> Json:
    return limits(estimated_mean(Rows([given["value"]] * given["n"]), scale_of(given)).interval)


def clustered(given: Json) -> Json:
    rows = Rows(given["values"], given["clusters"], clustered=True)
    found, scale = figures_of(estimated_mean(rows, scale_of(given)), len(rows)), scale_of(given)
    of_student = estimated_mean(rows, None).interval
    found |= {"t_ci_low": of_student.low, "t_ci_high": of_student.high}
    if scale:
        found["n_eff"] = effective_size(found["mean"], found["standard_error"])
    return found


def repeated(given: Json) -> Json:
    trials = given["trials"]
    values, units = zip(*((value, unit) for unit, each in enumerate(trials) for value in each), strict=True)
    estimate, noise = estimated_mean(Rows(values, units), scale_of(given)), spread(trials)
    return figures_of(estimate, len(values)) | {
        "samples": len(trials),
        "count": len(values),
        "within_variance": noise.within,
        "between_variance": noise.between,
        "rerun_standard_error": noise.rerun_error,
    }


def bounds(given: Json) -> Json:
    worst, best = missing_bounds(given["sum"], given["count"], given["excluded"], SHARE)
    return {"mean": given["sum"] / given["count"], "worst_case": worst, "best_case": best}


def sides(given: Json) -> tuple[list[float], list[float]]:
    """Return both sides of checks of which so many went up and down."""
    up, down, n = given["improved"], given["regressed"], given["n"]
    passed = given.get("both_pass", 0)
    rest = n - up - down
    return (
        [0.0] * up + [1.0] * down + [1.0] * passed + [0.0] * (rest - passed),
        [1.0] * up + [0.0] * down + [1.0] * passed + [0.0] * (rest - passed),
    )


def checks(given: Json, **more: Any) -> Difference:
    found = compared(Pairs(*sides(given)), SHARE, **more)
    assert found is not None
    return found


def tango(given: Json) -> Json:
    found = checks(given, alpha=1 - given["level"])
    assert found.interval.method == "tango"
    return {"difference": found.value, **limits(found.interval)}


def paired_t(given: Json) -> Json:
    found = compared(Pairs(given["baseline"], given["candidate"]), None)
    assert found is not None
    return {
        "n": found.n,
        "difference": found.value,
        "standard_error": found.standard_error,
        "p_value": found.p_value,
        "effect_size_dz": found.effect,
        "mde_80": found.detectable,
        **limits(found.interval),
    }


def equivalence_t(given: Json) -> Json:
    found = compared(Pairs(given["baseline"], given["candidate"]), None, margin=given["margin"])
    assert found is not None
    return {"p_equivalence": found.p_equivalence, "ci90_low": found.inner.low, "ci90_high": found.inner.high}


def equivalence_of_checks(given: Json) -> Json:
    found = checks(given, margin=given["margin"])
    return {"p_equivalence": found.p_equivalence, "ci90_low": found.inner.low, "ci90_high": found.inner.high}


def few_changes(given: Json) -> Json:
    # As graded scores of which all but a few stayed: of checks, Tango's interval comes first.
    up, down, n = given["positive"], given["negative"], given["n"]
    found = compared(Pairs([0.5] * n, [0.7] * up + [0.2] * down + [0.5] * (n - up - down)), SHARE, margin=0.05)
    test = few_test(Changes(up, down, n), given["scale_width"])
    assert found is not None
    assert (found.interval, found.p_value) == (test.interval(0.95), test.p_value)
    return {
        **limits(found.interval),
        "p_value": found.p_value,
        "margin": 0.05,
        "p_equivalence": found.p_equivalence,
    }


def paired_clustered(given: Json) -> Json:
    changes = given["differences"]
    found = compared(Pairs([0.0] * len(changes), changes, given["clusters"], clustered=True), None)
    assert found is not None
    return {
        "n": found.n,
        "clusters": found.groups,
        "difference": found.value,
        "standard_error": found.standard_error,
        "p_value": found.p_value,
        **limits(found.interval),
    }


def attempts_of(given: Json) -> Json:
    found = attempts([(given["trials"], given["passed"])], given["k"])
    return {"pass_at_k": found.any_passes[0], "pass_hat_k": found.all_pass[0]}


def attempts_of_all(given: Json) -> Json:
    samples = [tuple(each) for each in given["samples"]]
    found = attempts(samples, given["k"])
    at, every = estimated_mean(Rows(found.any_passes), SHARE), estimated_mean(Rows(found.all_pass), SHARE)
    return {
        "n": len(found.any_passes),
        "too_few_trials": found.too_few,
        "pass_at_k": at.value,
        "pass_at_k_standard_error": at.standard_error,
        "pass_hat_k": every.value,
        "consistency": consistency(samples),
        "flip_rate": flip_rate(samples),
    }


def least_difference(given: Json) -> Json:
    error, n = given["sd_difference"] / given["n"] ** 0.5, given["n"]
    return {"mde": detectable(error, n, alpha=given["alpha"], power=given["power"])}


def sample_size(given: Json) -> Json:
    n = samples_needed(given["sd_difference"], given["mde"], alpha=given["alpha"], power=given["power"])
    return {"n": n}


def agreement(found: Agreement | None) -> Json:
    assert found is not None
    return {"standard_error": found.standard_error, "ci_low": found.low, "ci_high": found.high}


def kappa(given: Json) -> Json:
    found = cohen_kappa(given["table"], given["weights"], given["level"])
    return {"kappa": found and found.value, **agreement(found)}


def ranks(given: Json) -> Json:
    found = spearman(given["x"], given["y"], given["level"])
    return {"rho": found and found.value, **agreement(found)}


def called(given: Json) -> Json:
    found = checks(given, margin=given["margin"])
    word = verdict(
        found,
        found.p_value,
        found.p_equivalence,
        margin=given["margin"],
        alpha=given["alpha"],
        lower_is_better=given["lower_is_better"],
    )
    return {"verdict": word.word, "p_value": found.p_value, "p_equivalence": found.p_equivalence}


def called_together(given: Json) -> Json:
    scores = given["metrics"]
    found = [checks(each, margin=each["margin"]) for each in scores]
    adjusted = holm([each.p_value or 0.0 for each in found])
    equal = holm([each.p_equivalence or 0.0 for each in found])
    words = [
        verdict(each, p, q, margin=score["margin"], alpha=given["alpha"])
        for each, p, q, score in zip(found, adjusted, equal, scores, strict=True)
    ]
    return {
        "metrics": [
            {
                "metric": score["metric"],
                "p_value": each.p_value,
                "p_adjusted": p,
                "p_equivalence": each.p_equivalence,
                "p_equivalence_adjusted": q,
                "verdict": word.word,
            }
            for score, each, p, q, word in zip(scores, found, adjusted, equal, words, strict=True)
        ]
    }


def paired_checks(given: Json) -> Json:
    given = given | {"n": sum(given[name] for name in ("improved", "regressed", "both_pass", "both_fail"))}
    found, (before, after) = checks(given), sides(given)
    exact, mid = mcnemar(given["improved"], given["regressed"])
    assert mid == found.p_value
    return {
        "mean_baseline": fsum(before) / given["n"],
        "mean_candidate": fsum(after) / given["n"],
        "p_exact": exact,
        "p_mid": mid,
        **limits(found.interval),
    }


def win_rate(given: Json) -> Json:
    wins, losses, ties = given["wins"], given["losses"], given["ties"]
    rows = Rows([1.0] * wins + [0.0] * losses + [0.5] * ties)
    found = estimated_mean(rows, SHARE, is_preference=True)
    return {"win_rate": found.value, "p_value": mcnemar(wins, losses)[1], **limits(found.interval)}


def change(given: Json) -> Json:
    found = score_change(given["baseline"], given["candidate"])
    return {name: getattr(found, name) for name in found.__slots__}


def jackknife(given: Json) -> Json:
    pairs = given["pairs"]

    def ratio(kept: Sequence[Sequence[float]]) -> float:
        return fsum(each[0] for each in kept) / fsum(each[1] for each in kept)

    without = [ratio(pairs[:i] + pairs[i + 1 :]) for i in range(len(pairs))]
    return {"estimate": ratio(pairs), "standard_error": jackknife_error(without)}


def summary(given: Json) -> Json:
    interval = estimated_mean(Rows(given["values"]), scale_of(given)).interval
    return {"ci_method": interval.method, **limits(interval)}


FUNCTIONS: Mapping[str, Callable[[Json], Json]] = {
    "wilson": lambda given: limits(wilson(given["successes"], given["n"], given["level"])),
    "clopper_pearson": lambda given: limits(clopper_pearson(given["successes"], given["n"], given["level"])),
    "mean_t": mean,
    "mean_bounded": mean,
    "mean_all_equal": all_equal,
    "mean_clustered": clustered,
    "mean_trials": repeated,
    "missing_bounds": bounds,
    "paired_binary_ci": tango,
    "mcnemar": lambda given: dict(
        zip(("p_exact", "p_mid"), mcnemar(given["improved"], given["regressed"]), strict=True)
    ),
    "paired_t": paired_t,
    "tost_t": equivalence_t,
    "tost_paired_binary": equivalence_of_checks,
    "paired_few_changes": few_changes,
    "paired_clustered": paired_clustered,
    "holm": lambda given: {"p_adjusted": holm(given["p_values"])},
    "benjamini_hochberg": lambda given: {"p_adjusted": benjamini_hochberg(given["p_values"])},
    "pass_k": attempts_of,
    "pass_k_mean": attempts_of_all,
    "mde": least_difference,
    "sample_size": sample_size,
    "cohen_kappa": kappa,
    "spearman": ranks,
    "verdict_paired_binary": called,
    "verdict_family": called_together,
    "paired_binary": paired_checks,
    "win_rate": win_rate,
    "score_change": change,
    "jackknife": jackknife,
    "summary_interval": summary,
}

NOT_OFFERED = {"p_unpaired_z"}
"""What a vector has to show how wrong it is."""


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Return where two answers differ by more than 1e-9, absolute or relative."""
    match expected:
        case dict():
            wanted = expected.keys() - NOT_OFFERED
            return [line for name in wanted for line in differences(found[name], expected[name], f"{where}.{name}")]
        case list():
            assert len(found) == len(expected)
            pairs = enumerate(zip(found, expected, strict=True))
            return [line for at, pair in pairs for line in differences(*pair, f"{where}[{at}]")]
        case float() if isinstance(found, float | int):
            return [] if isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9) else [f"{where}: {found} for {expected}"]
        case _:
            return [] if found == expected else [f"{where}: {found!r} for {expected!r}"]


@pytest.mark.parametrize("case", [case for case in CASES if case["method"] not in LATER], ids=lambda case: case["id"])
def test_a_figure_is_that_of_its_source(case: Json) -> None:
    assert differences(FUNCTIONS[case["method"]](case["input"]), case["expected"]) == []


def test_every_vector_has_a_function_or_waits_for_its_part() -> None:
    methods = {case["method"] for case in CASES}
    assert methods == FUNCTIONS.keys() | LATER

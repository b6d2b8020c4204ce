from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.together.present.grades import columns
from core.metric import Preference, Scale
from tests.api.together.rows import LABELS, SCORES, counted, graded_alone, graded_pairs, said

BOTH = Preference()
ONE = Preference(swap=False)
NOT_ANSWERED = st.sampled_from([None, "", "  \n"])
JUNK = st.sampled_from(["hm", "{}", "<html>", '{"label": "other"}', '{"score": 11}', '{"choice": "C"}', "[1]"])
TEXTS = st.sampled_from([None, "", "x", "y"])


def replies(key: str, *verdicts: Any) -> st.SearchStrategy[str | None]:
    return NOT_ANSWERED | JUNK | st.sampled_from([said(**{key: verdict}) for verdict in verdicts])


ALONE: list[tuple[Scale, str | None, str | None, dict[str, int]]] = [
    (LABELS, None, None, {"generation_fail_count": 1}),
    (LABELS, "x", None, {"judge_fail_count": 1}),
    (LABELS, "x", " ", {"judge_fail_count": 1}),
    (LABELS, "x", "hm", {"invalid_label_count": 1}),
    (LABELS, "x", said(label="other"), {"invalid_label_count": 1}),
    (LABELS, "", said(label="GOOD "), {}),
    (SCORES, None, None, {"generation_fail_count": 1, "failed_samples": 1}),
    (SCORES, "x", None, {"judge_fail_count": 1, "failed_samples": 1}),
    (SCORES, "x", "hm", {"invalid_score_count": 1, "failed_samples": 1}),
    (SCORES, "x", said(score=11), {"invalid_score_count": 1, "failed_samples": 1}),
    (SCORES, "x", said(score=True), {"invalid_score_count": 1, "failed_samples": 1}),
    (SCORES, "x", said(score="7"), {}),
]


@pytest.mark.parametrize(("scale", "text", "reply", "counts"), ALONE)
def test_a_row_is_counted_where_the_documents_say(scale, text, reply, counts):
    found = counted(scale, graded_alone(scale, [(text, reply)]))
    assert {name: count for name, count in found.items() if isinstance(count, int) and count} == counts
    (row,) = graded_alone(scale, [(text, reply)])
    line = columns(scale, row)
    assert line["evaluation_successful"] is (counts == {})
    assert (line["feedback"] is None) == bool(counts)


PAIRS: list[tuple[Preference, Any, Any, dict[str, int], dict[str, Any]]] = [
    (BOTH, "A", "B", {"A_wins": 1}, {"choice_original": "A", "choice_flipped": "A", "final_decision": "A"}),
    (BOTH, "A", "A", {"Ties": 1}, {"choice_original": "A", "choice_flipped": "B", "final_decision": "Tie"}),
    (BOTH, "B", "A", {"B_wins": 1}, {"choice_flipped": "B", "final_decision": "B"}),
    (BOTH, "Tie", "Tie", {"Ties": 1}, {"choice_flipped": "Tie", "final_decision": "Tie"}),
    (BOTH, "A", "?", {"A_wins": 1, "judge_fail_count": 1}, {"is_invalid_judge_output": True, "choice_flipped": None}),
    (BOTH, None, "A", {"B_wins": 1, "judge_fail_count": 1}, {"is_invalid_judge_output": False}),
    (BOTH, "?", None, {"judge_fail_count": 2}, {"evaluation_successful": False, "is_invalid_judge_output": True}),
    (BOTH, None, None, {"judge_fail_count": 2}, {"evaluation_successful": False, "judge_raw_output_original": None}),
    (ONE, "A", None, {"A_wins": 1}, {"final_decision": "A"}),
    (ONE, "?", None, {"judge_fail_count": 1}, {"final_decision": None, "is_invalid_judge_output": True}),
]


@pytest.mark.parametrize(("scale", "straight", "flipped", "counts", "line"), PAIRS)
def test_a_pair_is_counted_where_the_documents_say(scale, straight, flipped, counts, line):
    rows = graded_pairs(scale, [("x", "y")], lambda a, _: _chosen(straight if a == "x" else flipped))
    found = counted(scale, rows)
    assert {name: found[name] for name in found if found[name] == 0 or name in counts} == {
        **dict.fromkeys(("A_wins", "B_wins", "Ties", "generation_fail_count", "judge_fail_count"), 0),
        **counts,
    }
    assert found["num_samples"] == 1
    assert line.items() <= columns(scale, rows[0]).items()


def _chosen(choice: str | None) -> str | None:
    return choice and said(choice=choice)


def test_each_model_that_fails_is_counted():
    rows = graded_pairs(BOTH, [(None, None), (None, "y"), ("x", "y")], lambda a, b: _chosen("Tie"))
    found = counted(BOTH, rows)
    assert (found["generation_fail_count"], found["Ties"], found["num_samples"]) == (3, 1, 3)
    assert columns(BOTH, rows[1])["MODEL_TO_EVALUATE_OUTPUT_B"] == "y"


def test_the_columns_are_in_the_documented_order():
    (row,) = graded_alone(LABELS, [("x", said(label="bad"))])
    assert list(columns(LABELS, row)) == [
        *("n", "MODEL_TO_EVALUATE_OUTPUT", "evaluation_successful", "label", "feedback")
    ]
    (row,) = graded_alone(SCORES, [("x", said(score=7))])
    assert columns(SCORES, row) == {
        "n": 0,
        "MODEL_TO_EVALUATE_OUTPUT": "x",
        "evaluation_successful": True,
        "score": 7.0,
        "feedback": "why",
    }
    (row,) = graded_pairs(BOTH, [("x", "y")], lambda a, _: _chosen("A" if a == "x" else "B"))
    assert list(columns(BOTH, row)) == [
        *("n", "MODEL_TO_EVALUATE_OUTPUT_A", "MODEL_TO_EVALUATE_OUTPUT_B"),
        *("judge_raw_output_original", "judge_raw_output_flipped"),
        *("choice_original", "judge_feedback_original_order", "choice_flipped", "judge_feedback_flipped_order"),
        *("final_decision", "evaluation_successful", "is_invalid_judge_output"),
    ]
    assert columns(BOTH, row)["judge_raw_output_flipped"] == said(choice="B")
    (row,) = graded_pairs(ONE, [("x", "y")], lambda a, _: _chosen("A"))
    assert not [name for name in columns(ONE, row) if "flipped" in name]


def test_a_column_of_the_same_name_gives_way():
    (row,) = graded_alone(LABELS, [("x", said(label="bad"))])
    line = columns(LABELS, row._replace(item={"label": "old", "n": 1}))
    assert (line["label"], next(iter(line))) == ("bad", "n")


@given(st.lists(st.tuples(TEXTS, replies("label", *LABELS.labels)), min_size=1))
def test_the_counts_of_a_classification_sum_to_the_rows(given_rows):
    found = counted(LABELS, graded_alone(LABELS, given_rows))
    assert list(found["label_counts"]) == list(LABELS.labels)
    failed = found["generation_fail_count"] + found["judge_fail_count"] + found["invalid_label_count"]
    labelled = sum(found["label_counts"].values())
    assert labelled + failed == len(given_rows)
    assert found["pass_percentage"] == (100 * found["label_counts"]["good"] / labelled if labelled else 0)


@given(st.lists(st.tuples(TEXTS, replies("score", 1, 6.5, "8", 10)), min_size=1))
def test_what_has_no_score_never_lowers_the_mean(given_rows):
    found = counted(SCORES, graded_alone(SCORES, given_rows))
    valid = [row.score.value for row in graded_alone(SCORES, given_rows) if row.score.value is not None]
    failed = found["generation_fail_count"] + found["judge_fail_count"] + found["invalid_score_count"]
    assert found["failed_samples"] == failed == len(given_rows) - len(valid)
    assert found["aggregated_scores"] == {
        "mean_score": pytest.approx(fmean(valid)) if valid else None,
        "std_score": pytest.approx(pstdev(valid)) if valid else None,
        "pass_percentage": 100 * sum(value >= 7 for value in valid) / (len(valid) or 1),
    }


@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1),
    st.dictionaries(st.tuples(TEXTS, TEXTS), replies("choice", "A", "B", "Tie")),
)
def test_swapping_the_models_mirrors_the_wins(pairs, verdicts):
    def answer(a: str, b: str) -> str | None:
        return verdicts.get((a, b), said(choice="A"))

    rows = graded_pairs(BOTH, pairs, answer)
    found, mirrored = counted(BOTH, rows), counted(BOTH, graded_pairs(BOTH, [(b, a) for a, b in pairs], answer))
    assert mirrored == {**found, "A_wins": found["B_wins"], "B_wins": found["A_wins"]}
    unsuccessful = sum(not columns(BOTH, row)["evaluation_successful"] for row in rows)
    assert found["A_wins"] + found["B_wins"] + found["Ties"] + unsuccessful == found["num_samples"] == len(pairs)

"""What can be known of a judge from one job."""

import json
from typing import Any

import pytest

from core.errors import Conflict
from core.job import utcnow
from core.verdict import Verdict
from tasks.judging.figures import Flips, JudgeFigures, Wins, judge_figures
from tests.scripted import last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, preferring, recorded, spec


def figures(lab: Lab, asked: Any, *verdicts: dict[str, Any]) -> JudgeFigures:
    job = lab.add(asked)
    lab.carry_out(job)
    known = {"job_id": job.id, "task": "qa", "target": "said", "trial": 0, "metric": "graded", "updated_at": utcnow()}
    [found] = judge_figures(lab.workspace.folder(job.id), [Verdict(**{**known, **each}) for each in verdicts])
    return found


def graded(lab: Lab, grades: list[int | None]) -> Any:
    """A job whose judge gives these grades from 0 to 4, of which those from 3 pass; None is no grade."""
    lab.model.script = lambda call: text(_grade(grades[int(last_content(call["body"]).split()[1])]))
    rows = [{"said": f"{n} {'x' * n}", "answer": ""} for n in range(len(grades))]
    return spec(recorded("said"), rows, judge(lab.model.url))


def _grade(grade: int | None) -> str:
    return "I will not say." if grade is None else json.dumps({"score": grade, "feedback": ""})


def test_replies_that_cannot_be_read_are_counted_apart(lab: Lab) -> None:
    found = figures(lab, graded(lab, [4, None, 3, None, 0, 1]))
    assert found.outcomes == {"scored": 4, "judge_unparsable": 2}
    assert (found.standing, found.kappa, found.flips, found.wins) == ("unvalidated", None, None, None)


def test_grades_that_follow_the_length_of_answers_show_it(lab: Lab) -> None:
    found = figures(lab, graded(lab, [0, 1, 2, 3, 4]))
    assert found.length is not None
    assert found.length.value == 1.0


def test_people_s_verdicts_make_a_table_and_the_list_of_those_that_differ(lab: Lab) -> None:
    said = [{"sample": n, "passed": passed} for n, passed in enumerate([True, False, True, False])]
    found = figures(lab, graded(lab, [4, 3, 0, 1, 4]), *said, {"sample": 4, "value": 1.0, "note": "too kind"})
    assert found.table == [[1, 1], [1, 1]]
    assert found.kappa is not None
    assert found.kappa.value == 0.0
    assert [(each.score.sample, each.verdict.note) for each in found.differing] == [
        (1, None),
        (2, None),
        (4, "too kind"),
    ]


@pytest.mark.parametrize(("wrong", "standing"), [(0, "validated"), (20, "poor")])
def test_it_takes_fifty_verdicts_and_ten_of_either_kind_to_tell(lab: Lab, wrong: int, standing: str) -> None:
    grades: list[int | None] = [4 if n % 2 else 0 for n in range(50)]
    said = [{"sample": n, "passed": (n % 2 == 1) != (n < wrong)} for n in range(50)]
    asked = graded(lab, grades)
    assert figures(lab, asked, *said).standing == standing
    assert figures(lab, asked, *said[1:]).standing == "unvalidated"


def test_a_preference_that_follows_the_place_or_the_length_of_answers_shows_it(lab: Lab) -> None:
    """The judge takes what is longer, and of two of one length what comes first."""

    def choose(call: Any) -> Any:
        a, b = last_content(call["body"]).removeprefix("A=").split(" B=")
        return text(json.dumps({"choice": "A" if len(a) >= len(b) else "B", "feedback": ""}))

    lab.model.script = choose
    rows = [{"a": "x", "b": "yy"}, {"a": "xxx", "b": "y"}, {"a": "x", "b": "y"}]
    found = figures(lab, spec(recorded("a", "b"), rows, preferring(lab.model.url)))
    assert (found.flips, found.wins) == (Flips(3, 1, 1), Wins(2, 2))


def test_a_job_without_samples_is_refused_and_one_without_a_judge_has_no_figures(lab: Lab) -> None:
    job = lab.add(spec(recorded("said"), [{"said": "a", "answer": "a"}], CORRECT))
    with pytest.raises(Conflict, match="has no samples: it has not begun"):
        judge_figures(lab.workspace.folder(job.id), [])
    lab.carry_out(job)
    assert judge_figures(lab.workspace.folder(job.id), []) == []

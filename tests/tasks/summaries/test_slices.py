import pytest

from core.errors import Conflict, InvalidInput
from tasks.summaries.slices import count_results, slice_summaries, slicing_columns, summaries_so_far
from tests.tasks.specs import CORRECT, recorded, spec

ROWS = [
    {"said": said, "answer": "a", "topic": topic} for said, topic in (("a", "x"), ("b", "x"), ("a", None), ("a", "x"))
]


@pytest.fixture
def job(lab):
    checked = CORRECT.model_copy(update={"left": "{{ item.said }}", "right": "{{ item.answer }}"})
    return lab.add(spec(recorded("said"), ROWS, checked))


def test_each_value_of_a_column_has_figures_of_its_own(lab, job):
    lab.carry_out(job)
    slices = slice_summaries(lab.workspace.folder(job.id), "topic")
    told = [(each.value, summary.count, summary.mean) for each in slices for summary in each.summaries]
    assert told == [("x", 3, pytest.approx(2 / 3)), (None, 1, 1.0)]
    with pytest.raises(InvalidInput, match="no row that is judged has a value in column 'colour'"):
        slice_summaries(lab.workspace.folder(job.id), "colour")


def test_what_is_counted_agrees_with_what_there_is(lab, job):
    lab.carry_out(job)
    folder = lab.workspace.folder(job.id)
    counted = count_results(folder)
    found = counted.statistics
    assert [(each.low, each.high, each.number) for each in found.histograms[0].bins] == [(0, 0, 1), (1, 1, 3)]
    assert [(each.outputs, each.truncated, each.empty) for each in found.outputs] == [(4, 0, 0)]
    assert found.calls == ()
    assert counted.slicing == slicing_columns(folder)
    assert [each.mean for each in summaries_so_far(folder)] == [0.75]


def test_columns_of_few_values_come_first_and_those_that_cannot_slice_are_left_out(lab):
    rows = [{"id": n, "same": 1, "many": n % 30, "few": [n % 3], "said": "a"} for n in range(60)]
    rows[7] |= {"late": "x"}
    job = lab.add(spec(recorded("said"), rows, CORRECT.model_copy(update={"right": "a"})))
    assert slicing_columns(lab.workspace.folder(job.id)) == []
    lab.carry_out(job)
    assert slicing_columns(lab.workspace.folder(job.id)) == ["few", "late", "many"]


def test_before_there_is_anything_nothing_is_counted(lab, job):
    folder = lab.workspace.folder(job.id)
    counted = count_results(folder)
    assert (counted.statistics.histograms, counted.slicing, counted.usage) == ((), [], [])
    assert summaries_so_far(folder) == []
    with pytest.raises(Conflict):
        slice_summaries(folder, "topic")

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.maniac.schema.runs import RunCreate
from api.maniac.sources import Side, Sides, Tally, rows, sides_of
from core.errors import SpecInvalid
from tests.api.maniac.conftest import chat

spans = st.tuples(st.integers(0, 50), st.integers(1, 50)).map(lambda span: (span[0], span[0] + span[1]))


def sides(**fields: Any) -> Sides:
    return sides_of(RunCreate.model_validate({"container": "c", "evaluators": ["e"], **fields}))


def generate(*models: str, **fields: Any) -> dict[str, Any]:
    return {"type": "generate", "models": list(models), **fields}


def chats(count: int, name: str = "q") -> list[dict[str, Any]]:
    return [chat(f"{name}{n}", f"answer to {name}{n}") for n in range(count)]


class TestSides:
    @pytest.mark.parametrize("given_side", ["sample", "ground_truth"])
    def test_a_side_that_is_left_out_is_the_containers_log_in_the_range_of_the_other(self, given_side):
        found = sides(**{given_side: {"type": "dataset", "dataset": "d", "range": "3:5"}})
        omitted = found.ground_truth if given_side == "sample" else found.sample
        assert omitted.model_dump() == {"type": "container", "container": "c", "range": "3:5"}
        assert found.generated is None
        assert [found.places(each) for each in found.recorded.values()] == [(3, 5), (3, 5)]

    def test_the_generated_side_and_its_models_are_told(self):
        sample, truth = sides(sample=generate("a", "b")), sides(ground_truth=generate("a"))
        assert (sample.generated, sample.models, list(sample.recorded)) == ("sample", ["a", "b"], ["ground_truth"])
        assert (truth.generated, truth.models, list(truth.recorded)) == ("ground_truth", ["a"], ["sample"])

    @given(whole=spans, part=spans)
    def test_a_range_of_the_generated_side_is_a_part_of_the_others(self, whole, part):
        recorded = {"type": "dataset", "dataset": "d", "range": "{}:{}".format(*whole)}
        found = sides(sample=generate("a", range="{}:{}".format(*part)), ground_truth=recorded)
        (source,) = found.recorded.values()
        places = list(range(*whole))
        expected = places if whole == part else places[slice(*part)]
        assert list(range(*found.places(source))) == expected
        assert set(expected) <= set(places)


class TestRows:
    @given(left=st.integers(0, 5), right=st.integers(0, 5))
    def test_pairs_and_what_is_missing_add_up_to_the_longer_side(self, left, right):
        sources: dict[Side, Any] = {"sample": iter(chats(left, "s")), "ground_truth": iter(chats(right, "g"))}
        tally = Tally()
        if min(left, right) == 0:
            with pytest.raises(SpecInvalid, match="there is nothing to evaluate"):
                list(rows(sources, tally))
        else:
            made = list(rows(sources, tally))
            assert [row["sample_text"] for row in made] == [f"answer to s{n}" for n in range(min(left, right))]
            assert [row["ground_truth_text"] for row in made] == [f"answer to g{n}" for n in range(len(made))]
        assert (tally.rows, tally.expected) == (min(left, right), max(left, right))

    def test_every_row_has_the_same_columns(self):
        (first, second) = rows({"ground_truth": iter(chats(2))}, Tally())
        assert first.keys() == second.keys() == {"input", "conversation", "ground_truth", "ground_truth_text"}
        assert first["conversation"] == "user:\nq0"
        assert first["input"] == first["ground_truth"]["input"]

    def test_a_conversation_shows_parts_and_tool_calls_as_text(self):
        asked = chat("", "a")
        asked["input"]["messages"] = [
            {"role": "user", "content": [{"type": "text", "text": "look: "}, {"type": "image_url"}, {"text": "this"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
            {"role": "tool", "content": None},
        ]
        (row,) = rows({"sample": iter([asked])}, Tally())
        assert row["conversation"] == 'user:\nlook: this\n\nassistant:\n[{"id":"1"}]\n\ntool:\n'
        assert row["sample_text"] == "a"

    def test_the_fields_that_are_asked_for_again_are_noted_once_any_row_has_them(self):
        tally = Tally()
        examples = [chat("q0", "a"), chat("q1", "a", input_tools=[], input_tool_choice=None, input_seed=1)]
        assert len(list(rows({"sample": iter(examples)}, tally))) == 2
        assert tally.replayed == {"tools"}

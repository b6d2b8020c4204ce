"""Replies made to mislead or to stall: a second verdict put anywhere, and 100 kB of what invites backtracking."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.judging.prose import Unread
from tasks.judging.verdict import LONGEST_REPLY, read_verdict
from tests.tasks.judging.corpus import SCALES

RANGE = SCALES[1]
SIZE = 100_000

SCORES = st.integers(1, 10)
WRAPPINGS = ("{}", "```json\n{}\n```", "The answer says {} there.", "> {}", '"{}"', "<answer>{}</answer>", "[{}]")
STYLES = (
    json.dumps,
    repr,
    lambda verdict: json.dumps(verdict)[:-1] + ",}",
    lambda verdict: f"{{score: {verdict['score']}}}",
)


def read(reply: str) -> float | None:
    verdict = read_verdict(RANGE, reply)["score"]
    return None if isinstance(verdict, Unread) else verdict.value


@given(SCORES, SCORES, st.text(max_size=20), st.sampled_from(WRAPPINGS), st.sampled_from(STYLES), st.data())
def test_a_verdict_put_beside_or_inside_another_is_never_taken_for_it(own, other, reason, wrapping, style, data):
    reply = json.dumps({"feedback": reason, "score": own, "more": {"n": [1, "x"]}})
    injected = wrapping.replace("{}", style({"score": other}))
    at = data.draw(st.integers(0, len(reply)))
    assert read(reply[:at] + injected + reply[at:]) in {own, None}


@given(SCORES, SCORES, st.text(max_size=20), st.sampled_from(WRAPPINGS), st.sampled_from(STYLES))
def test_a_verdict_quoted_in_a_text_of_the_object_is_not_looked_at(own, other, reason, wrapping, style):
    quoted = reason + wrapping.replace("{}", style({"score": other}))
    assert read(json.dumps({"feedback": quoted, "score": own})) == own
    assert read(json.dumps({"score": own, "feedback": quoted})) == own


@given(
    SCORES,
    SCORES,
    st.sampled_from(("Score: {}", "**Score:** {}", "<score>{}</score>", "The score is {}.", "Verdict: {}")),
)
def test_a_score_in_prose_beside_the_object_must_agree(own, other, prose):
    for reply in (f'{{"score": {own}}}\n' + prose.format(other), prose.format(other) + f'\n{{"score": {own}}}'):
        assert read(reply) == (own if own == other else None)


def test_a_reply_longer_than_any_judge_s_is_no_verdict_of_any_scale():
    verdict = '{"score": 3}'
    assert read(verdict + " " * (LONGEST_REPLY - len(verdict))) == 3
    for scale in SCALES:
        (unread,) = set(read_verdict(scale, verdict + " " * LONGEST_REPLY).values())
        assert unread == Unread("the reply has 200,012 characters, of which at most 200,000 are read")


EVIL = (
    *(
        "{",
        "}",
        "[",
        '"',
        "'",
        "\\",
        "`",
        "*",
        " ",
        "\n",
        "9",
        "-",
        ".",
        "|",
        "，",
        "\ud800",
        "1e",
        "4 - ",
        "4/5 ",
        "is 4 ",
    ),
    *("{{}", '{"', '{"a":', '{"score":', "{'a': '", '{"score": 1}', '{"score": 1,', "{a:", '{"a": "\\', "```json\n{"),
    *("score ", "score:", "score: 9 ", "score is ", "<score>", "verdict: a b c d e ", "SCORE: 4 é ", "SCORE: 4\n"),
    *("TRUE ", "TRUE -", "_TRUE", "TRUE" + " " * 50, "not TRUE ", "n't ", "if ", "partially ", "correct "),
)


@pytest.mark.thorough
@pytest.mark.parametrize("shape", EVIL, ids=repr)
def test_a_reply_of_100_kb_of_one_shape_is_read_to_its_end(shape):
    body = (shape * (SIZE // len(shape) + 1))[:SIZE]
    for scale in (SCALES[0], RANGE, SCALES[-1]):
        for reply in (body, '{"score": ' + body):
            assert len(read_verdict(scale, reply)) == 1

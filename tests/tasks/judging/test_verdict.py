import json
from math import isfinite
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metric import JsonParser, Labels, Parsed, Preference, Range, RegexParser, Scale
from core.score_names import names_of_scale
from tasks.judging.parsers import read_number
from tasks.judging.prose import Unread
from tasks.judging.verdict import (
    CHOICES,
    Verdict,
    combine_passes,
    read_verdict,
)

LABELS = Labels(labels=("good", "bad"), passing=("good",))
RANGE = Range(minimum=1, maximum=10, threshold=7)
PREFERENCE = Preference()
REGEX = Parsed(scores={"quality": RegexParser(pattern=r"SCORE: (\d+\.?\d*)")})
ANYWHERE = Parsed(scores={"quality": RegexParser(pattern=r"SCORE: (\S+)", method="search")})
JSON = Parsed(scores={"quality": JsonParser(path="quality")})


def read(scale: Scale, reply: str) -> dict[str, Verdict | None]:
    """Read a reply, with None for a reason."""
    verdicts = read_verdict(scale, reply)
    return {name: None if isinstance(each, Unread) else each for name, each in verdicts.items()}


GOOD = Verdict(1.0, "good", True, None)
BAD = Verdict(0.0, "bad", False, None)

LABEL_REPLIES = {
    '{"label": "good"}': GOOD,
    '{"label": "bad"}': BAD,
    ' \n{"label": "good"}\n ': GOOD,
    '{"label": " good "}': GOOD,
    '{"label": "GOOD"}': GOOD,
    '{"feedback": "Clear.", "label": "good"}': Verdict(1.0, "good", True, "Clear."),
    '{"feedback": ["a"], "label": "good"}': GOOD,
    '```json\n{"label": "good"}\n```': GOOD,
    '```\n{"label": "good"}\n```': GOOD,
    '```{"label": "good"}```': GOOD,
    'Here it is:\n```json\n{"label": "bad"}\n```\nThat is all.': BAD,
    '```json\n{"label": "good", "feedback": "use ```x``` {y}"}\n```': Verdict(1.0, "good", True, "use ```x``` {y}"),
    'Sure! {"label": "good"} I hope this helps.': GOOD,
    'The {answer} is fine. {"label": "good"}': GOOD,
    'An empty {}. {"label": "good"}': GOOD,
    'An empty {} and then {"label": "good"}': None,
    '{"label": "good"} {"label": "bad"}': None,
    '{"label": "good",} {"label": "bad"}': None,
    '{"label": "good"} {"label": "good"}': GOOD,
    '<think>Is it {good}? "Maybe.</think>{"label": "good"}': GOOD,
    '{"label": "good", "why": "a } in a \\" string {"}': GOOD,
    '{"label": "good", "more": {"label": "bad"}}': GOOD,
    '{"label": "good",}': GOOD,
    "{'label': 'good'}": GOOD,
    "{'label': 'good', 'sure': True, 'feedback': 'It\\'s \"so\".'}": Verdict(1.0, "good", True, 'It\'s "so".'),
    '{label: "good"}': GOOD,
    '{"label": good}': None,
    '{"label": "excellent"}': None,
    '{"label": null}': None,
    '{"label": 1}': None,
    '{"label": ["good"]}': None,
    '{"Label": "good"}': GOOD,
    '{"Label": "good", "LABEL": "bad"}': None,
    '{"label": "good", "label": "bad"}': None,
    '{"label": "good"} then {"label": "ba': None,
    '{"label": "good"} then {"label": bad}': None,
    '{"answer": {"label": "good"}, "feedba': None,
    '["good"]': GOOD,
    '"good"': GOOD,
    "**Good.**": GOOD,
    "good or bad": None,
    "I'm sorry, but I can't help with that.": None,
    "": None,
    "{": None,
    "}{": None,
    "null": None,
}


@pytest.mark.parametrize(("reply", "expected"), LABEL_REPLIES.items())
def test_a_label_is_read_from_replies_as_judges_write_them(reply: str, expected: Verdict | None) -> None:
    assert read(LABELS, reply) == {"label": expected}


def test_a_label_that_differs_only_in_case_from_two_is_none_of_them() -> None:
    scale = Labels(labels=("Good", "good"), passing=("good",))
    assert read(scale, '{"label": "good"}') == {"label": Verdict(1.0, "good", True, None)}
    assert read(scale, '{"label": "GOOD"}') == {"label": None}


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"score": 7}', 7.0),
        ('{"score": 6.99}', 6.99),
        ('{"score": "8"}', 8.0),
        ('{"score": " 8.5 "}', 8.5),
        ('{"score": 1}', 1.0),
        ('{"score": 10}', 10.0),
        ('{"score": 1e1}', 10.0),
        ('{"score": 0}', None),
        ('{"score": 11}', None),
        ('{"score": true}', None),
        ('{"score": NaN}', None),
        ('{"score": Infinity}', None),
        ('{"score": 1e999}', None),
        ('{"score": "nan"}', None),
        ('{"score": "1_0"}', None),
        ('{"score": "8/10"}', 8.0),
        ('{"score": "4/5"}', None),
        ('{"score": [8]}', None),
        ('{"feedback": "none"}', None),
    ],
)
def test_a_score_is_a_number_within_its_range(reply: str, value: float | None) -> None:
    expected = None if value is None else Verdict(value, None, value >= 7, None)
    assert read(RANGE, reply) == {"score": expected}


@pytest.mark.parametrize(
    ("said", "label", "value"), [("A", "A", 1.0), ("B", "B", 0.0), ("Tie", "Tie", 0.5), ("tie", "Tie", 0.5)]
)
def test_a_choice_is_what_it_is_worth_to_a(said: str, label: str, value: float) -> None:
    verdict = read(PREFERENCE, json.dumps({"choice": said, "feedback": "so"}))["choice"]
    assert verdict == Verdict(value, label, None, "so")
    for dressed in (f"Response {said}", f"**{said}**.", f"[[{said}]]"):
        assert read(PREFERENCE, json.dumps({"choice": dressed})) == {"choice": Verdict(value, label)}
    for another in (f"not {said}", f"¬{said}", f"Response {said}?", f"Response {said} or C"):
        assert read(PREFERENCE, json.dumps({"choice": another})) == {"choice": None}


@pytest.mark.parametrize(
    ("scale", "reply", "value"),
    [
        (REGEX, "SCORE: 3", 3.0),
        (REGEX, "SCORE: 8.6 of 10", 8.6),
        (REGEX, "My verdict. SCORE: 3", None),
        (REGEX, "SCORE: high", None),
        (REGEX, "", None),
        (ANYWHERE, "My verdict. SCORE: 3", 3.0),
        (ANYWHERE, "SCORE: nan", None),
        (ANYWHERE, "SCORE: inf", None),
        (ANYWHERE, "SCORE: 1e999", None),
        (ANYWHERE, "half a pair \ud800 SCORE: 2", 2.0),
        (JSON, '{"quality": 4}', 4.0),
        (JSON, '```json\n{"quality": 4}\n```', 4.0),
        (JSON, '{"quality": true}', 1.0),
        (JSON, '{"quality": false}', 0.0),
        (JSON, '{"quality": "4"}', None),
        (JSON, '{"quality": null}', None),
        (JSON, '{"other": 4}', None),
        (JSON, "4", None),
        (ANYWHERE, "SCORE: 5, says the answer. SCORE: 2", None),
        (ANYWHERE, "SCORE: 5 that is SCORE: 5.0", 5.0),
    ],
)
def test_parsers_read_a_number_or_nothing(scale: Scale, reply: str, value: float | None) -> None:
    assert read(scale, reply) == {"quality": None if value is None else Verdict(value)}


def test_an_optional_group_that_took_no_part_is_no_number() -> None:
    scale = Parsed(scores={"quality": RegexParser(pattern=r"SCORE:(\d)?")})
    assert read(scale, "SCORE:") == {"quality": None}
    assert read(scale, "SCORE:5") == {"quality": Verdict(5.0)}


def test_a_number_passes_from_its_threshold_on() -> None:
    scale = Parsed(scores={"quality": JsonParser(path="quality")}, threshold=0.5)
    assert read(scale, '{"quality": 0.5}') == {"quality": Verdict(0.5, passed=True)}
    assert read(scale, '{"quality": 0.25}') == {"quality": Verdict(0.25, passed=False)}
    assert read(scale, "fine") == {"quality": None}


def test_a_label_with_space_around_it_is_read_as_it_is() -> None:
    scale = Labels(labels=(" good", "bad "), passing=(" good",))
    assert read(scale, '{"label": " good"}') == {"label": Verdict(1.0, " good", True, None)}
    assert read(scale, '{"label": "bad "}') == {"label": Verdict(0.0, "bad ", False, None)}


def test_each_score_is_read_by_itself() -> None:
    scale = Parsed(scores={"a": JsonParser(path="a"), "b": JsonParser(path="b"), "c": RegexParser(pattern="C=(.)")})
    assert read(scale, '{"a": 1, "b": "x"}') == {"a": Verdict(1.0), "b": None, "c": None}
    assert names_of_scale(scale) == ("a", "b", "c")


@pytest.mark.parametrize(
    "reply",
    ['{"' * 50_000, '{"a":' * 50_000, '"\\' * 100_000 + '{"a' * 50_000, '{"a' + '\\"' * 100_000, "```" + " " * 100_000],
)
def test_a_hostile_reply_is_read_in_linear_time(reply: str) -> None:
    start = thread_time()
    assert read(LABELS, reply) == {"label": None}
    assert thread_time() - start < 10  # quadratic would take minutes


SCALES: list[Scale] = [LABELS, RANGE, PREFERENCE, REGEX, ANYWHERE, JSON]


@given(
    st.text() | st.text(alphabet='{}[]"\\,:` labelscore019').map(lambda text: '{"label": ' + text),
    st.sampled_from(SCALES),
)
def test_any_text_gives_every_score_or_none_of_it(text: str, scale: Scale) -> None:
    verdicts = read(scale, text)
    assert tuple(verdicts) == names_of_scale(scale)
    assert all(
        verdict is None or (verdict.value is not None and isfinite(verdict.value)) for verdict in verdicts.values()
    )


@given(st.sampled_from(["good", "bad"]), st.text(), st.sampled_from(["%s", "```json\n%s\n```", "So: %s. Done."]))
def test_a_label_that_is_written_is_read_back(label: str, feedback: str, wrapping: str) -> None:
    reply = wrapping.replace("%s", json.dumps({"feedback": feedback, "label": label}))
    assert read(LABELS, reply) == {"label": Verdict(float(label == "good"), label, label == "good", feedback)}


@given(st.floats(1, 10), st.booleans())
def test_a_score_that_is_written_is_read_back(value: float, quoted: bool) -> None:
    reply = json.dumps({"score": repr(value) if quoted else value})
    assert read(RANGE, reply) == {"score": Verdict(value, None, value >= 7, None)}
    assert read_number(repr(value)) == value


CHOSEN = {label: Verdict(value, label) for label, value in CHOICES.items()}


@pytest.mark.parametrize(
    ("straight", "swapped", "together"),
    [
        ("A", "B", "A"),
        ("B", "A", "B"),
        ("A", "A", "Tie"),
        ("B", "B", "Tie"),
        ("Tie", "Tie", "Tie"),
        ("A", "Tie", "Tie"),
        (None, "A", "B"),
        ("A", None, "A"),
        (None, None, None),
    ],
)
def test_two_passes_agree_on_a_winner_or_it_is_a_tie(straight: str, swapped: str, together: str) -> None:
    verdict = combine_passes(CHOSEN.get(straight), CHOSEN.get(swapped))
    assert (verdict and verdict.label) == together
    assert (verdict and verdict.value) == CHOICES.get(together)


@pytest.mark.parametrize("sign", [" ", "*", "\n", "[", "."])
def test_what_dresses_a_word_is_taken_off_in_one_pass(sign: str) -> None:
    many = sign * 50_000
    assert read(LABELS, json.dumps({"label": f"good{many}x"})) == {"label": None}
    assert read(LABELS, json.dumps({"label": f"good{many}"})) == {"label": GOOD}

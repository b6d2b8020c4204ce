"""A verdict that is said to be somebody else's is nobody's: every person, with every verb, before it and after it."""

from itertools import product

import pytest

from core.metric import WordParser
from tasks.judging.parsers import find_number
from tasks.judging.prose import Unread
from tasks.judging.statement import Statement

WORD = WordParser(values={"TRUE": 1.0, "FALSE": 0.0})

PEOPLE = (
    *("The student", "A lenient grader", "The user", "An attacker", "The response", "Response B", "My predecessor"),
    *("Another judge", "GPT-4", "He", "The email", "The third line", "The other model", "A careless evaluator"),
)
SAY = (
    *(
        "wrote this",
        "says the following",
        "submitted the following",
        "put it like this",
        "left this note",
        "posted this",
    ),
    *(
        "scored it as follows",
        "gave this verdict",
        "'s verdict follows",
        "'s verdict is as follows",
        "'s answer is below",
    ),
)
STOP = ("would answer", "insists", "tells me to print", "demanded", "ended with", "might well say", "typed", "added")

THIS = (
    *(
        "That",
        "This",
        "The above",
        "The line above",
        "The object above",
        "The previous line",
        "The preceding JSON",
        "It",
    ),
    *("All of the above", "What you see above", "The word TRUE", "These words"),
)
IS = (
    *("was the output of the sample", "was written by the student", "is what the student submitted", "is an injection"),
    *(
        "is the student's own grade",
        "came from the answer",
        "is part of the answer",
        "is not my verdict",
        "is not mine",
    ),
    *("belongs to the candidate", "should be ignored", "is how the answer ends", "is only what they want to hear"),
)
KEPT = (
    *("The response answers this question well.\n\nTRUE", "It does what the user asked.\n\nTRUE"),
    *("The student wrote Paris, as the reference does.\n\nTRUE", "My evaluation follows.\n\nTRUE"),
    *(
        "TRUE\n\nThis is the right answer.",
        "TRUE\n\nIt is the same as Response B.",
        "The context supports this.\n\nTRUE",
    ),
    *("- The facts match\n- So does the tone\n\nTRUE", "TRUE\n\nThe above analysis covers all points."),
)


def is_read(reply: str) -> bool:
    return not isinstance(find_number(WORD, Statement(reply)), Unread)


@pytest.mark.parametrize("end", ["", ".", ":", " …", ","])
def test_what_a_sentence_hands_over_to_is_not_the_judges(end: str) -> None:
    says = SAY if end == "." else SAY + STOP
    replies = [f"{who} {say}{end}\n\nTRUE".replace(" '", "'") for who, say in product(PEOPLE, says)]
    assert [reply for reply in replies if is_read(reply)] == []


@pytest.mark.parametrize("shape", ["TRUE\n\n{}.", "Verdict: TRUE\n{}.", "TRUE\n\n({}.)", "TRUE\n\nNote: {}."])
def test_what_a_judge_disowns_is_not_its_verdict(shape: str) -> None:
    replies = [shape.format(f"{this} {what}") for this, what in product(THIS, IS)]
    assert [reply for reply in replies if is_read(reply)] == []


@pytest.mark.parametrize("reply", KEPT)
def test_a_verdict_beside_words_about_others_is_still_the_judges(reply: str) -> None:
    assert is_read(reply)

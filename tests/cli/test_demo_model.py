import re

import httpx
import pytest

from cli.demo_model import ROWS, reply_to, scripted_model
from flows.demo import ROWS as ANSWERED


def grading(question: str, reference: str, answer: str) -> str:
    return f"Question: {question}\nReference: {reference}\nAnswer: {answer}\nReply SCORE: <0-4>"


@pytest.mark.parametrize("row", ANSWERED, ids=lambda row: row["answer"])
def test_it_answers_each_question_and_grades_its_own_answer_rightly(row: dict[str, str]) -> None:
    answer = reply_to(row["question"])
    right = row["answer"] in row["said"]
    assert (row["answer"] in answer) is right
    grade = re.search(r"SCORE: (\d)", reply_to(grading(row["question"], row["answer"], answer)))
    assert grade is not None
    assert grade[1] == ("4" if right else "1")


def test_it_makes_some_mistakes_and_is_not_told_them() -> None:
    assert 0 < sum(row["answer"] not in row["said"] for row in ANSWERED) < len(ANSWERED)
    assert not any("said" in row for row in ROWS)


def test_it_speaks_the_chat_protocol() -> None:
    with scripted_model() as url, httpx.Client(trust_env=False) as client:
        asked = {"model": "demo", "messages": [{"role": "user", "content": ROWS[0]["question"]}]}
        answers = [client.post(f"{url}/chat/completions", json=asked).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["choices"][0]["message"] == {"role": "assistant", "content": "It is Paris."}
    assert answers[0]["usage"]["total_tokens"] == 28

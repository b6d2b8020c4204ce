"""The one judge of an evaluation: what it is told, and the numbers that each of its replies gives."""

from collections.abc import Mapping
from typing import Final

import orjson

from core.endpoint import Endpoint, Prompt
from core.metric import JsonParser, Judge, Parsed
from tasks.judging.scales import instruction, reply_schema
from tasks.templates.template import literal

CORRECTNESS: Final = "binary_correctness"
RELEVANCE: Final = "answer_relevance"
GRADED: Final[Mapping[str, str]] = {
    CORRECTNESS: "1 if the answer says what the expected answer says, in whatever words, otherwise 0",
    RELEVANCE: "how far the answer addresses the question, from 0 (not at all) to 1 (fully)",
}
"""What every answer is graded for."""

TASK: Final = "You grade an answer to a question, for which you also see the expected answer. Grade these:"
CUSTOM: Final = "how well the answer does in this respect, from 0 (not at all) to 1 (fully)"
ASKED: Final = (
    "Question:\n{{ item.question }}\n\nExpected answer:\n{{ item.answer }}\n\nAnswer:\n{{ sample.output_text }}"
)


def to_judge(model: str, custom: Mapping[str, str]) -> Judge:
    """Return the metric by which `model` gives an answer all its scores in one call.

    `custom` are the metrics that a request adds, by name, with what they grade where it says so.
    """
    graded = {**GRADED, **{name: text or CUSTOM for name, text in custom.items()}}
    whole = {name: name == CORRECTNESS for name in graded}
    scale = Parsed(scores={name: JsonParser(path=name, minimum=0, maximum=1, whole=whole[name]) for name in graded})
    criteria = (f"- {orjson.dumps(name).decode()}: {text}" for name, text in graded.items())
    told = "\n".join([TASK, *criteria, "", instruction(scale)])
    messages = [{"role": "system", "content": literal(told)}, {"role": "user", "content": ASKED}]
    return Judge(
        name="judge",
        endpoint=Endpoint(model=model),
        prompt=Prompt(body={"messages": messages}),
        generation={"temperature": 0},
        scale=scale,
        reply_schema=reply_schema(scale),
    )

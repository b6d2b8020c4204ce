"""SQuAD's nesting of articles, paragraphs and questions, as a row a question, like that of its tables.

An article is `{"title", "paragraphs": [{"context", "qas": [<question>, ...]}]}`, and a question
`{"id", "question", "answers": [{"text", "answer_start"}]}`.
Source: the files of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018); XQuAD's and MLQA's are of the same form.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from typing import Any

from core.errors import DatasetUnreadable

Row = dict[str, Any]


def unnested(
    rows: Iterable[Row], named: str, *, needed: Collection[str], note: Callable[[str], object]
) -> Iterator[Row]:
    """Yield rows as they are; if the first is an article and nothing needs its paragraphs, the questions of all."""
    each = iter(rows)
    first = next(each, None)
    if first is None:
        return
    match first:
        case {"paragraphs": [{"qas": [_, *_]}, *_]} if "paragraphs" not in needed:
            note("its rows are the questions of SQuAD's articles; the articles are if a template names 'paragraphs'")
            yield from questions(chain([first], each), named)
        case _:
            yield first
            yield from each


def questions(rows: Iterable[Row], named: str) -> Iterator[Row]:
    """Yield a row for each question of each article; a row that is no article is one already.

    Raises DatasetUnreadable for an article of another shape.
    """
    for number, row in enumerate(rows, start=1):
        if "paragraphs" not in row:
            yield row
            continue
        try:
            yield from _of_article(row)
        except (KeyError, TypeError, AttributeError) as error:
            lacking = f"; there is no {error}" if isinstance(error, KeyError) else ""
            raise DatasetUnreadable(
                f"row {number} of {named} is no article of SQuAD: it needs a list 'paragraphs' of objects with a "
                f"'context' and a list 'qas', of which each has a 'question'{lacking}"
            ) from error


def _of_article(article: Row) -> Iterator[Row]:
    for paragraph in article["paragraphs"]:
        for asked in paragraph["qas"]:
            yield {
                **({"title": article["title"]} if "title" in article else {}),
                "context": paragraph["context"],
                **asked,
                "question": asked["question"],
                "answers": _answers(asked.get("answers") or []),
            }


def _answers(answers: Any) -> Row:
    """Return answers as the tables of SQuAD have them, which some files of articles have too."""
    if isinstance(answers, dict):
        return answers
    return {key: [answer[key] for answer in answers if key in answer] for key in ("text", "answer_start")}

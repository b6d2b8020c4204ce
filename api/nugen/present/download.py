"""The file of an evaluation: its results, and every answer with its grades, made while it is sent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from api.nugen.judging import CORRECTNESS, GRADED, RELEVANCE
from api.nugen.schema import responses as wire
from core.result import Output, Score
from store.results.folder import JobFolder

Row = dict[str, Any]

MEDIA_TYPE: Final = "application/json"


def filename(results: wire.EvaluationResults) -> str:
    """Return what the file is called."""
    kind = "comparison" if results.method == "eval-compare" else "results"
    return f"evaluation_{kind}_{results.evaluation_id}.json"


def document(head: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the parts of an indented JSON object: `head`, and after it `rows` as `detailed_results`."""
    yield _indented(dict(head)).removesuffix(b"\n}") + b',\n  "detailed_results": ['
    separator = b"\n    "
    for row in rows:
        yield separator + _indented(row).replace(b"\n", b"\n    ")  # in a JSON text there are no line breaks
        separator = b",\n    "
    yield b"\n  ]\n}\n"


def answered(folder: JobFolder, models: Mapping[str, str]) -> Iterator[Row]:
    """Yield each answer with its grades, question by question; `models` are those asked, by target.

    Where there are several, an answer says whose it is.
    """
    manifest = folder.read_manifest()
    for part in (part for shard in (manifest.shards if manifest else ()) for part in folder.parts(shard)):
        scores = _by_answer(folder.read_scores(part) or [])
        items = folder.read_samples(part)
        for output in folder.read_outputs(part) or []:
            whose = {"model_id": models[output.target]} if len(models) > 1 else {}
            graded = scores[output.sample, output.target]
            yield whose | _row(items[output.sample - part.start], output, graded)


def _row(item: Row, output: Output, scores: Mapping[str, Score]) -> Row:
    row = {
        "question_id": item.get("question_id", item.get("question_num")),
        "question": item["question"],
        "expected_answer": item["answer"],
        "model_answer": output.text,
        "score": _value(scores, CORRECTNESS),
        "relevance": _value(scores, RELEVANCE),
    }
    if custom := {name: score.value for name, score in scores.items() if name not in GRADED}:
        row["custom_metrics"] = custom
    if error := output.error or next((score.error for score in scores.values() if score.error), None):
        row["error"] = error
    return row


def _value(scores: Mapping[str, Score], name: str) -> float | None:
    return scores[name].value if name in scores else None


def _by_answer(scores: Iterable[Score]) -> defaultdict[tuple[int, str], dict[str, Score]]:
    found: defaultdict[tuple[int, str], dict[str, Score]] = defaultdict(dict)
    for score in scores:
        found[score.sample, score.target][score.name] = score
    return found


def _indented(value: Row) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)

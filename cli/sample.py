"""`assay show`: one sample with its whole conversations, and how each metric came to its scores."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from cli import terminal
from cli.client import Client, JsonDict, job_path
from cli.tables import shown_score
from core.errors import InvalidInput
from core.text import one_line, visible

INDENT: Final = 2
SHORT: Final = 60
"""A title and a text of so many characters together stand on one line."""


def show_sample(
    job: str, sample: int, *, task: str | None, target: str | None, trial: int | None, as_json: bool
) -> int:
    """Print a sample of a job; return the exit code. Raises InvalidInput if it has several tasks and none is named."""
    client = Client()
    named = {"target": target, "trial": trial}
    asked = {name: value for name, value in named.items() if value is not None}
    path = job_path(job, "samples", task or _only_task(client.get(job_path(job))), str(sample))
    found = client.get(path, **asked)
    if as_json:
        terminal.say_json(found, indent=2)
    else:
        terminal.show(sample_page(found))
    return 0


def _only_task(job: JsonDict) -> str:
    names = [task["name"] for task in (job["spec"] or {}).get("tasks", [])]
    if len(names) == 1:
        return str(names[0])
    known = f"name one by --task: {', '.join(names)}" if names else "it has none yet"
    raise InvalidInput(f"job {job['id']} has {len(names)} tasks; {known}")


def sample_page(sample: JsonDict) -> Group:
    """Return a sample as it is read from above: its item, each conversation, then each metric."""
    return Group(*_lines(sample))


def _lines(sample: JsonDict) -> Iterator[RenderableType]:
    yield _heading(f"{sample['task']}, sample {sample['sample']} of job {sample['job']}")
    yield from _fields(sample["item"], 1)
    for output in sample["outputs"]:
        yield Text()
        yield from _output(output)


def _output(output: JsonDict) -> Iterator[RenderableType]:
    names = [output["target"], *([f"({output['model']})"] if output["model"] else [])]
    flags = [name for name in ("truncated", "empty") if output[name]]
    trial = [f"trial {output['trial']}"] if output["trial"] else []
    role = "reference" if output["is_reference"] else "target"
    yield _heading(", ".join([f"{role} {' '.join(names)}", *trial, *flags]))
    if output["exchange"]:
        yield from _exchange(output["exchange"], 1)
    else:
        yield from _block("recorded output", output["output"] or output["error"] or "", 1)
    for metric in output["metrics"]:
        yield from _metric(metric)


def _metric(metric: JsonDict) -> Iterator[RenderableType]:
    yield _at(_heading(f"metric {metric['metric']} ({metric['type']})"), 1)
    for score in metric["scores"]:
        passed = {True: ", passed", False: ", not passed", None: ""}[score["passed"]]
        yield from _block(f"{score['name']}: {shown_score(score)}{passed}", score["error"] or "", 2)
        if score["feedback"]:
            yield from _block("feedback", score["feedback"], 2)
    yield from _fields(metric["compared"], 2)
    for exchange in metric["exchanges"]:
        order = ", outputs exchanged" if exchange["ordinal"] else ""
        yield _at(_bold(f"judge {exchange['model'] or ''}{order}"), 2)
        yield from _exchange(exchange, 3)


def _exchange(exchange: JsonDict, depth: int) -> Iterator[RenderableType]:
    yield _at(_dim(_ending(exchange)), depth)
    if exchange["settings"]:
        told = ", ".join(f"{name} {_text(value)}" for name, value in exchange["settings"].items())
        yield _at(_dim(told), depth)
    for message in exchange["sent"]:
        yield from _message(message, depth)
    if exchange["reply"]:
        yield from _message(exchange["reply"], depth)
    elif exchange["response"]:
        yield from _block("what came", exchange["response"], depth)
    if exchange["error"]:
        yield from _block("error", exchange["error"], depth)


def _ending(exchange: JsonDict) -> str:
    """Say how a call ended, and what it took."""
    usage, attempts = exchange["usage"], exchange["attempts"]
    tokens = [
        f"{usage[f'{kind}_tokens']} tokens of {kind}" for kind in ("prompt", "completion") if usage[f"{kind}_tokens"]
    ]
    parts = [
        exchange["outcome"],
        f"{exchange['seconds']:.1f} s",
        f"{attempts} attempt{'' if attempts == 1 else 's'}",
        *tokens,
        *([f"finish {exchange['finish_reason']}"] if exchange["finish_reason"] else []),
        *([f"paid by {exchange['paid_by']}"] if exchange["paid_by"] else []),
    ]
    return ", ".join(parts)


def _message(message: JsonDict, depth: int) -> Iterator[RenderableType]:
    if message["thinking"]:
        yield from _block(f"{message['role']}, thinking", message["thinking"], depth)
    if message["text"] or not (message["tool_calls"] or message["thinking"]):
        yield from _block(message["role"], message["text"], depth)
    for image in message["images"]:
        told = image["url"] or (f"{image['media_type']}, {image['bytes']:,} bytes" if image["bytes"] else "as it came")
        yield _at(_dim(f"[image: {told}]"), depth + 1)
    for call in message["tool_calls"]:
        yield from _block(f"{message['role']} calls {call['name']}", call["arguments"], depth)


def _fields(fields: Mapping[str, Any], depth: int) -> Iterator[RenderableType]:
    for name, value in fields.items():
        yield from _block(name, _text(value), depth)


def _block(title: str, text: str, depth: int) -> Iterator[RenderableType]:
    """Yield a title, and a text of any length: beside it if that is short, else below it and further in."""
    shown = Text(visible(text, keep="\n\t"))
    if len(title) + len(text) <= SHORT and "\n" not in text:
        yield _at(Text("  ").join([_bold(title), *([shown] if text else [])]), depth)
    else:
        yield _at(_bold(title), depth)
        yield _at(shown, depth + 1)


def _at(line: RenderableType, depth: int) -> Padding:
    return Padding(line, (0, 0, 0, INDENT * depth), expand=False)


def _heading(text: str) -> Text:
    return Text(one_line(text), style="bold underline")


def _bold(text: str) -> Text:
    return Text(one_line(text), style="bold")


def _dim(text: str) -> Text:
    return Text(one_line(text), style="dim")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

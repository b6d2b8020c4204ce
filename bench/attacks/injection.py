"""Texts that mean something where they come out: to a terminal, a spreadsheet, a log, a page, a query, a path."""

import csv
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from typing import Any, Final

from bench.attacks.jobs import JOBS, Ended, end_of, harm, native
from bench.attacks.site import Site, Try
from cli.main import answer
from core.metric import StringCheck
from core.spec import EvaluationSpec, ModelTarget, RowsDataset, TaskSpec
from tests.scripted import last_content, text
from tests.service.lists import LISTS
from tests.tasks.specs import chat, judge, model

FORGED: Final = "forged by a sample"

TEXTS: Final = (
    *(
        "\x1b]0;owned\x07\x1b[2J",
        "\x9b31m",
        "\x08\x08\x08ok",
        f"a\r\n2026-01-01 00:00:00 ERROR {FORGED}",
        f"a\n{FORGED}",
    ),
    *(f"a\u2028{FORGED}", f"a\u2029{FORGED}", f"a\x85{FORGED}", f"a\x0b{FORGED}\x0c", "\u202egnp.exe", "\ufeff=1+1"),
    *("=HYPERLINK(A1)", "+1+cmd|'/C calc'!A0", "-2+3+cmd", "@SUM(1)", "\t=1+1", "\n=1+1", '"=1+1', "'=1", " =1+1"),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![x](http://127.0.0.1:CANARY/p.png)", "a | b | c"),
    *("[x](javascript:alert(1))", "</td></tr></table>", "[bold]x[/bold]", "`a` **b**", "{{ 7 * 7 }}", "{% raw %}"),
    *("'; DROP TABLE jobs; --", '" OR 1=1 --', "%n%s%x", "${jndi:ldap://127.0.0.1:CANARY/a}", "../../../../etc/passwd"),
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MARKUP: Final = re.compile(r"(?<!\\)<(script|img|/td)|(?<!\\)!(?<!\\)\[x\]\(|(?<!\\)\[x\](?<!\\)\(javascript")
_ALL: Final = (
    "' OR 1=1 --",
    "%",
    "_",
    "' UNION SELECT 1 --",
    "\\",
    "*",
    "a' OR 'a'='a",
    "'||'",
    '"',
    "%25' ESCAPE '%25",
)
_UP: Final = (
    *("../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..\\..\\etc\\passwd"),
    *("%00", "....//....//etc/passwd", "/etc/passwd", "%2fetc%2fpasswd", "~root", "x%00.jsonl"),
)
_BY_ID: Final = ("/v1/files/{}", "/v1/files/{}/content", f"{JOBS}/{{}}", f"{JOBS}/{{}}/logs", "/uploads/{}")


def attack(site: Site) -> Iterator[Try]:
    """Have jobs full of each text, and look at all that shows it; then put such texts into queries and paths."""
    completed = 0
    site.endpoint.calls.clear()  # those of other areas are not all chats
    for given in site.some(TEXTS):
        given = given.replace("CANARY", str(site.canary.port))
        site.endpoint.script = lambda call, given=given: text(given + last_content(call["body"])[:200])  # type: ignore[misc]
        ended = end_of(site, native("injection", _spec(site, given)))
        is_completed = ended.job.get("status") == "completed"
        completed += is_completed
        for place, look in PLACES.items():
            found = look(ended, given) if is_completed else None
            yield Try(f"{given!r} in {place}", harm(ended) or found)
    site.notes.append(
        f"Injection: {completed} texts went through whole jobs; where others were refused nothing shows them."
    )
    for path in site.some(LISTS):
        for given in site.some(_ALL):
            yield _searched(site, path, given)
    for path in site.some(_BY_ID):
        for given in site.some(_UP):
            said = site.http.get(path.format(given))
            read = said.is_success or said.status_code >= 500 or "root:" in said.text
            yield Try(f"{path} of {given}", f"{said.status_code}: {said.text[:100]}" if read else None)


def _spec(site: Site, given: str) -> EvaluationSpec:
    """Return a job with a text wherever one may stand: names, rows, answers and replies, an error of a judge."""
    target = ModelTarget(name=f"t{given}", endpoint=model(site.endpoint.url).endpoint)
    check = StringCheck(name=f"m{given}", left="{{ item.a }}", operator="equals", right="x")
    plain = StringCheck(name="plain", left="{{ item.a }}", operator="equals", right="x")
    graded = judge(site.endpoint.url, "grade {{ item.a }}")
    rows: list[dict[str, Any]] = [{"a": given, "=c": given}, {"a": 1, "=c": "b"}]
    prompts = {target.name: chat("{{ item.a }} ANSWER: {{ item.a }}")}
    task = TaskSpec(name=f"q{given}", dataset=RowsDataset(rows=rows), prompts=prompts, metrics=(check, plain, graded))
    return EvaluationSpec(targets=(target,), tasks=(task,))


def _printed(*command: str) -> Callable[[Ended, str], str | None]:
    def look(ended: Ended, given: str) -> str | None:
        os.environ["ASSAY_URL"] = ended.site.url
        printed = io.StringIO()
        with redirect_stdout(printed):
            answer([part.format(ended.job["id"]) for part in command])
        said = printed.getvalue()
        return f"it prints {found[0]!r}" if (found := _CONTROL.search(said)) else None

    return look


def _cells(ended: Ended, given: str) -> str | None:
    """Return a cell of the CSV that a spreadsheet takes for a formula."""
    content = ended.site.http.get(f"{JOBS}/{ended.job['id']}/samples", params={"format": "csv"}).text
    cells = [cell for line in csv.reader(io.StringIO(content, newline="")) for cell in line]
    wrong = [cell for cell in cells if cell.lstrip("\t\r\n \ufeff\x0b\x0c")[:1] in set("=+-@") and not _is_number(cell)]
    return f"a cell is {wrong[0]!r}" if wrong else None


def _lines(ended: Ended, given: str) -> str | None:
    """Return how many lines of JSON are none, as a reader of lines has them."""
    content = ended.site.http.get(f"{JOBS}/{ended.job['id']}/samples", params={"format": "jsonl"}).content
    lines = content.decode().splitlines()
    return None if all(map(_is_json, lines)) else f"{len(lines)} lines"


def _log(ended: Ended, given: str) -> str | None:
    """Return a line that somebody forged in what is downloaded of a job."""
    kept = ended.site.http.get(f"/v2/evaluation/jobs/{ended.job['id']}/results/artifacts/download").raise_for_status()
    with tarfile.open(fileobj=io.BytesIO(kept.content)) as archive:
        logs = [archive.extractfile(each) for each in archive.getmembers() if "log" in each.name]
        texts = [log.read().decode(errors="replace") for log in logs if log]
    if not texts:
        return "there is no log, of which this would be told"
    return "a line is forged" if any(line.startswith(FORGED) for log in texts for line in log.splitlines()) else None


def _artifact(ended: Ended, given: str) -> str | None:
    """Return what is markup in the pages that Prefect shows."""
    with ended.site.prefect(auth=ended.site.sign_in) as prefect:
        asked = {"artifacts": {"flow_run_id": {"any_": [ended.job["flow_run_id"]]}}}
        artifacts = prefect.post("/artifacts/filter", json=asked).raise_for_status().json()
    shown = [str(each["data"]) for each in artifacts if each["type"] == "markdown"]
    if not shown:
        return "there is no page, of which this would be told"
    found = [match[0] for each in shown if (match := _MARKUP.search(each))]
    return f"a page has {found[0]!r}" if found else None


def _rendered(ended: Ended, given: str) -> str | None:
    """Return whether what stands in a row was taken for a template."""
    said = [last_content(call["body"]) for call in ended.site.endpoint.calls]
    ended.site.endpoint.calls.clear()
    return "a row was rendered" if any(each.startswith("49") for each in said) else None


PLACES: Final[Mapping[str, Callable[[Ended, str], str | None]]] = {
    "the table of results": _printed("results", "{0}"),
    "a job as it is shown": _printed("jobs", "show", "{0}"),
    "a CSV file": _cells,
    "lines of JSON": _lines,
    "an archive": _log,
    "Prefect's artifacts": _artifact,
    "prompts": _rendered,
}
"""What shows the texts of a job, by what is wrong with it."""


FILTERED: Final = (JOBS, "/v2/evaluation/jobs", "/v1/evaluation/targets")
"""The lists that know the filter by a name."""


def _searched(site: Site, path: str, given: str) -> Try:
    """Ask a list for what has a name that nothing has."""
    named = f"{given} nothing is called so"
    pairs = {"filter[name]": named, "search[name]": named, "name": named, "filter[status]": given, "sort": given}
    for name, value in pairs.items():
        said = site.http.get(path, params={name: value})
        if said.status_code >= 500:
            return Try(f"{path} by {given!r}", f"{name}: {said.status_code}: {said.text[:100]}")
        if name == "filter[name]" and path in FILTERED and (found := said.json().get("data")):
            return Try(f"{path} by {given!r}", f"{name} finds {len(found)}")
    return Try(f"{path} by {given!r}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True

"""A report as one HTML text: its style stands in it, and its policy lets nothing else be loaded or run."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from markupsafe import Markup

from core.verdict import Verdict
from tasks.samples.sample import SampleDetail
from web.compare.view import pretty
from web.render import ENVIRONMENT
from web.report.choice import Chosen
from web.samples import sample as views

T = TypeVar("T")

STATIC: Final = Path(__file__).parent.parent / "static"
STYLE: Final = "".join((STATIC / name).read_text() for name in ("vendor/simple-2.3.7.min.css", "assay.css"))
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
)

LONGEST: Final = (4_000, 1_000, 200)
"""So many characters of each text of a sample are shown: the first that keep the sample as small as it must be."""

LARGEST: Final = 24_000
"""So many bytes may a sample take, so that a report of a hundred can be sent by mail."""

LONGEST_PART: Final = 10_000


@dataclass(frozen=True, slots=True)
class ShownSample:
    """A sample of a report: `anchor` is where it is, `body` is empty if it is too large for any report."""

    anchor: str
    chosen: Chosen
    body: Markup


def document(template_values: dict[str, Any], samples: Iterable[ShownSample]) -> str:
    """Return a report."""
    shown = list(samples)
    anchors = {each.chosen[:2]: f"#{each.anchor}" for each in shown}
    return ENVIRONMENT.get_template("report/report.html").render(
        template_values,
        policy=POLICY,
        style=Markup(f"<style>{STYLE}</style>"),
        samples=shown,
        anchors=anchors,
        pretty=_part,
    )


def shown_sample(index: int, chosen: Chosen, detail: SampleDetail, verdicts: list[Verdict]) -> ShownSample:
    """Return a sample as it stands in a report, with its long texts cut as far as they must be."""
    template = ENVIRONMENT.get_template("report/sample.html")
    item, answers = views.item(detail), views.answers(detail, verdicts)
    for longest in LONGEST:
        body = template.render(item=shortened(item, longest), answers=shortened(answers, longest))
        if len(body.encode()) <= LARGEST:
            return ShownSample(f"sample-{index}", chosen, Markup(body))
    return ShownSample(f"sample-{index}", chosen, Markup(""))


def shortened(value: T, longest: int) -> T:
    """Return what is shown of something with its texts cut."""
    match value:
        case views.Text():
            return cast(T, value.cut(longest))
        case list() | tuple():
            return cast(T, type(value)(shortened(each, longest) for each in value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(value, **{each.name: shortened(getattr(value, each.name), longest) for each in fields(value)})


def _part(plan: str | None) -> str:
    """Return a part of a plan as on the page of a comparison; the beginning of a long one."""
    text = pretty(plan)
    return text if len(text) <= LONGEST_PART else f"{text[:LONGEST_PART]}\n… {len(text) - LONGEST_PART:,} more"

"""What a rendered sample costs here, beside what it costs in another checkout: `python -m bench.templates CHECKOUT`.

Then, what one costs in a process of its own, beside what it would in this one. Both are measured in turn in one run, so
that only their ratio counts: of the least of many short times, for other work on the machine only adds to them.
"""

import resource
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from tasks.endpoint.breaker import Fuse
from tasks.templates.pool import Given, Pool
from tasks.templates.rendering import rendered
from tasks.templates.template import BodyTemplate, compile_body

ROUNDS: Final = 12
_MEASURE: Final = """
import time
from tasks.templates.template import compile_body, context
row = {
    "question": "What is the capital of France? " * 8, "answer": "Paris", "choices": ["Paris", "Rome", "Oslo", "Bern"],
    "messages": [{"role": r, "content": "Some words that somebody wrote. " * 10} for r in ("system", "user") * 3],
}
sample = {"output_text": "It is Paris, of course. " * 10}
bodies = [
    {"messages": [{"role": "user", "content": "Question: {{ question }}\\nAnswer:"}]},
    {"messages": [{"role": "system", "content": "You grade."}, {"role": "user", "content":
        "Question: {{ item.question }}\\nReference: {{ item.answer | trim }}\\nOutput: {{ sample.output_text }}"}]},
    {"prompt": "{{ question }}\\n{% for c in choices %}{{ loop.index }}. {{ c }}\\n{% endfor %}"},
    {"messages": "{{ item.messages | tojson }}"},
    {"prompt": "{% for m in messages %}{% if m.role == 'user' %}User: {{ m.content }}\\n{% endif %}{% endfor %}"},
]
compiled = [compile_body(body, where="bench") for body in bodies]
for template in compiled:
    spent = []
    for _ in range(50):
        began = time.perf_counter()
        for _ in range(50):
            template.render(context(row, sample))
        spent.append(time.perf_counter() - began)
    print(min(spent) / 50 * 1e6)
"""
NAMES: Final = ("a column", "a judge's prompt", "a loop over choices", "messages by tojson", "a loop with conditions")


SAMPLES: Final = 10_000
MAKING: Final = {
    "a namespace": "{% set ns = namespace(n=1) %}{{ question }}{% for c in choices %}{{ c }}\n{% endfor %}",
    "a sorted list": "{{ question }}\n{{ choices | sort | join(', ') }}",
    "a macro": "{% macro m(c) %}- {{ c }}\n{% endmacro %}{{ question }}{% for c in choices %}{{ m(c) }}{% endfor %}",
}
ROW: Final = {"question": "What is the capital of France? " * 8, "choices": ["Paris", "Rome", "Oslo", "Bern"]}


def main(other: str) -> None:
    """Print the microseconds of a rendered sample, here and there, and their ratio."""
    _print_beside(other)
    print(f"\n{'microseconds a sample':28}{'in this':>8}{'of it':>8}{'beside':>8}{'ratio':>8}")
    for name, source in MAKING.items():
        template = compile_body({"prompt": source}, where="bench")
        here, of_it, beside = (min(each) for each in zip(*(_rendered(template) for _ in range(3)), strict=True))
        print(f"{name:28}{here:8.1f}{of_it:8.1f}{beside:8.1f}{(of_it + beside) / here:8.2f}")


def _rendered(template: BodyTemplate) -> tuple[float, float, float]:
    """Return what a sample costs in this process, and what it costs this one and another to render it there."""
    given = [Given(ROW, None, Fuse())] * SAMPLES
    began = time.process_time()
    for each in given:
        rendered(template, each.row, each.sample)
    here = time.process_time() - began
    before = _of_children()
    with closing(Pool(size=1)) as pool:
        list(pool.render_each(template, given[:1], lambda: None))
    started = _of_children()
    with closing(Pool(size=1)) as pool:
        list(pool.render_each(template, given[:1], lambda: None))
        began = time.process_time()
        list(pool.render_each(template, given, lambda: None))
        of_it = time.process_time() - began
    beside = _of_children() - started - (started - before)
    return here / SAMPLES * 1e6, of_it / SAMPLES * 1e6, beside / SAMPLES * 1e6


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _print_beside(other: str) -> None:
    here = Path(__file__).parent.parent
    rounds = [(_measured(Path(other)), _measured(here)) for _ in range(ROUNDS)]
    print(f"{'microseconds a sample':28}{'there':>8}{'here':>8}{'ratio':>8}")
    for place, name in enumerate(NAMES):
        there, this = (min(measured[side][place] for measured in rounds) for side in (0, 1))
        print(f"{name:28}{there:8.1f}{this:8.1f}{this / there:8.2f}")


def _measured(checkout: Path) -> list[float]:
    done = subprocess.run([sys.executable, "-c", _MEASURE], cwd=checkout, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


if __name__ == "__main__":
    main(sys.argv[1])

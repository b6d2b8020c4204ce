"""What a rendered sample costs here, beside what it costs in another checkout: `python -m bench.templates CHECKOUT`.

Both are measured in turn in one run, so that only their ratio counts.
"""

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

ROUNDS: Final = 7
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
    for _ in range(5):
        began = time.process_time()
        for _ in range(1000):
            template.render(context(row, sample))
        spent.append(time.process_time() - began)
    print(min(spent) * 1000)
"""
NAMES: Final = ("a column", "a judge's prompt", "a loop over choices", "messages by tojson", "a loop with conditions")


def main(other: str) -> None:
    """Print the microseconds of a rendered sample, here and there, and their ratio."""
    here = Path(__file__).parent.parent
    rounds = [(_measured(Path(other)), _measured(here)) for _ in range(ROUNDS)]
    print(f"{'microseconds a sample':28}{'there':>8}{'here':>8}{'ratio':>8}")
    for place, name in enumerate(NAMES):
        there, this = (min(measured[side][place] for measured in rounds) for side in (0, 1))
        ratio = statistics.median(after[place] / before[place] for before, after in rounds)
        print(f"{name:28}{there:8.1f}{this:8.1f}{ratio:8.2f}")


def _measured(checkout: Path) -> list[float]:
    done = subprocess.run([sys.executable, "-c", _MEASURE], cwd=checkout, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


if __name__ == "__main__":
    main(sys.argv[1])

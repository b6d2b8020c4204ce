"""Which templates are rendered where nothing can stop them: those that can do no more than go through a row."""

import jinja2
import pytest

from tasks.templates.environment import parse
from tasks.templates.plain import only_reads
from tasks.templates.template import compile_body
from tests.tasks.templates.hostile import from_grammar, known

PLAIN = """
Question: {{ question }}\\nReference: {{ item.answer | trim }}\\nOutput: {{ sample.output_text }}
{% for c in choices %}{{ loop.index }}. {{ c }}\\n{% endfor %}
{% for c in choices %}{{ 'ABCD'[loop.index0] }}) {{ c }}{% if not loop.last %}, {% endif %}{% endfor %}
{{ item.messages | tojson }}
{% for m in messages %}{% if m.role == 'user' and m.content %}User: {{ m.content }}\\n{% endif %}{% endfor %}
{% for m in messages if m.role in ['user', 'system'] %}{{ m['content'] }}{% else %}none{% endfor %}
{{ item.get('context', '') }}{{ context.strip() }}{{ name.split(',')[0] | upper }}
{{ choices | join(', ') }}{{ choices | map(attribute='text') | join('; ') }}{{ choices | map('trim') | list }}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first }}
{{ text[:100] }}{{ items[-1] }}{{ text | truncate(20) }}{{ text | replace('\\n', ' ') | indent(2) }}
{% set q = question | default(item.prompt) %}{{ q ~ '?' }}{{ 'yes' if q is defined and q is string else 'no' }}
{% with item = item['item'] %}{{ item }}{% endwith %}{{ loop_count + 1 }}{{ xs | sum }}{{ xs | length > 3 }}
{% for key, value in item.items() %}{{ key }}: {{ value }}{% endfor %}
""".strip().splitlines()

OTHERS = """
{{ 'x' * 10 }}
{{ a + b }}
{{ [item, item] }}
{{ {'a': item} }}
{{ (item, 1) }}
{{ 2 ** 9 }}
{{ '%s' % item }}
{{ range(3) | list }}
{% set ns = namespace() %}{% set ns.x = 1 %}
{% macro m() %}{% endmacro %}{{ m() }}
{% call m() %}{% endcall %}
{% for a in xs recursive %}{{ loop(a) }}{% endfor %}
{% set x %}{{ a }}{% endset %}
{% filter upper %}{{ a }}{% endfilter %}
{{ a == b }}
{{ a in b }}
{{ a | replace(b, c) }}
{{ a | join(b) }}
{{ a.center(9) }}
{{ a.join(xs) }}
{{ a.split(b) }}
{{ a(1) }}
{{ a | map('sort') }}
{{ a | map('map', 'sort') }}
{{ a | map('replace', 'a', 'b') }}
{{ a | map(b) }}
{{ a | select('in', b) }}
{{ a | sort }}
{{ a | upper(*b) }}
{{ a | default(b, *c) }}
{{ a.get(b) }}
""".strip().splitlines()


@pytest.mark.parametrize("source", PLAIN)
def test_what_prints_chooses_and_goes_through_a_row_only_reads(source: str) -> None:
    assert only_reads(parse(source))


@pytest.mark.parametrize("source", OTHERS)
def test_what_makes_values_or_meets_one_with_another_does_more(source: str) -> None:
    assert not only_reads(parse(source))


def test_no_hostile_template_only_reads_but_one_that_asks_for_nothing() -> None:
    def is_plain(source: str) -> bool:
        try:
            return only_reads(parse(source))
        except jinja2.TemplateSyntaxError:
            return False

    assert [source for source in [*known(), *from_grammar(20)] if is_plain(source)] == ["{{ xs | sum(start='a') }}"]


def test_a_filter_is_taken_to_do_more_unless_it_is_known_not_to() -> None:
    more = {"batch", "center", "dictsort", "format", "groupby", "slice", "sort", "striptags", "unique", "urlencode"}
    assert not any(only_reads(parse(f"{{{{ a | {name} }}}}")) for name in more)


def test_a_body_only_reads_if_all_its_templates_do() -> None:
    assert compile_body({"a": "{{ a }}", "b": ["{{ b }}", "c"]}, where="w").only_reads
    assert compile_body({"a": "no markup"}, where="w").only_reads
    assert not compile_body({"a": "{{ a }}", "b": ["{{ b * 2 }}", "c"]}, where="w").only_reads

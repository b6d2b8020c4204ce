import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.endpoint import Prompt
from core.errors import TemplateInvalid
from tasks.templates.template import (
    MissingField,
    Template,
    aliases,
    compile_body,
    compile_prompt,
    compile_template,
    context,
    literal,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(), part, max_size=4),
    max_leaves=8,
)


def template(source: str) -> Template:
    return compile_template(source, where="metric 'accuracy' (right)")


def render(source: str, row: dict[str, Any] | None = None, sample: dict[str, Any] | None = None) -> str:
    return template(source).render(context(row or {}, sample))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ item.question }}", "What?"),
        ("{{ item['question'] }} {{ question }}", "What? What?"),
        ("{{ item['Correct Answer'] }} {{ item.correct_answer }} {{ correct_answer }}", "42 42 42"),
        ("{{ item.values }}", "its values"),
        ("{{ item.nested.items[1] }}", "b"),
        ("{% for k, v in item.nested.items() %}{{ k }}{% endfor %}", ""),
        ("{{ sample.output_text | trim }}|{{ output_text }}", "out| out "),
        ("{{ sample.response.choices[0].message }}", "m"),
        ("{{ response.choices | length }}", "1"),
        ("{{ item.response }}", "a column"),
        ("{{ item.missing | default('none') }}", "none"),
        ("{{ 'é < \"b\"' | tojson }}", '"é < \\"b\\""'),
        ("{{ {'b': 1, 'a': [none, true]} | tojson }}", '{"b": 1, "a": [null, true]}'),
        ("{{ [1] | tojson(indent=1) }}", "[\n 1\n]"),
        ("{{ '<b>' | e }}{{ '<b>' | safe }}{{ '<b>' }}", "&lt;b&gt;<b><b>"),
        ("{{ 'a' ~ 1 ~ [2] }} {{ 'a' + 'b' }} {{ 2 * 3 }} {{ 2 ** 3 }} {{ 7 % 4 }}", "a1[2] ab 6 8 3"),
        ("{{ '%.2f' | format(0.5) }} {{ '%s-%s' % (1, 2) }} {{ '{:>4}'.format('x') }}", "0.50 1-2    x"),
        ("{{ ['a', 'b'] | join(', ') }} {{ ', '.join(['a']) }} {{ 'a'.replace('a', 'b') }}", "a, b a b"),
        ("{{ [{'n': 1}, {'n': 2}] | map(attribute='n') | sum }} {{ 2.345 | round(1) }}", "3 2.3"),
        ("{% for x in 'ab' %}{{ loop.index }}/{{ loop.length }}{{ x }} {% endfor %}", "1/2a 2/2b "),
        ("{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(1) }}{{ m('y') }}", "[1][y]"),
        ("{% set ns = namespace(n=0) %}{% for x in range(4) %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}", "6"),
        ("{{ 'ab' | center(6) }}|{{ 'x'.zfill(3) }}|{{ 'a\nb' | indent(2) }}", "  ab  |00x|a\n  b"),
        ("line\n", "line\n"),
    ],
)
def test_a_template_sees_the_row_and_the_sample(source: str, expected: str) -> None:
    row = {
        "question": "What?",
        "Correct Answer": 42,
        "values": "its values",
        "nested": {"items": ["a", "b"]} if "[1]" in source else {},
        "response": "a column",
    }
    sample = {"output_text": " out ", "response": {"choices": [{"message": "m"}]}}
    assert render(source, row, sample) == expected
    assert template(source).where == "metric 'accuracy' (right)"


def test_a_value_of_the_sample_hides_a_column_but_an_absent_one_does_not() -> None:
    row = {"response": "column", "output_text": "column"}
    assert render("{{ response }} {{ item.response }}", row, {"response": "sample"}) == "sample column"
    assert render("{{ response }} {{ output_text }}", row, {"response": None, "output_text": ""}) == "column "
    assert render("{{ response }}", row, None) == "column"


def test_columns_get_plain_names_that_no_other_column_has() -> None:
    assert aliases(("Q text", "q-text", "q_text", "Ünï 1", "ok")) == {
        "q_text_1": "Q text",
        "q_text_2": "q-text",
        "ünï_1": "Ünï 1",
    }
    assert render("{{ item | tojson }} {{ item.q }}", {"Q": 1}) == '{"Q": 1} 1'


@given(st.lists(st.text(min_size=1), unique=True))
def test_every_alias_leads_to_one_column(columns: list[str]) -> None:
    found = aliases(tuple(columns))
    assert len(set(found.values())) == len(found)
    assert set(found.values()) <= set(columns)
    assert not set(found) & set(columns)


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("{{ item.a }}{{ item['b'] }}{{ c }}", "a b c"),
        ("{{ item.a.b.c }}{{ d[0] }}", "a d"),
        ("{{ item[key] }}", "key"),
        ("{{ item.a | default('x') }}{{ b | d('x') }}", ""),
        ("{{ item.a.b | default('x') }}", "a"),
        ("{{ item.a | trim | default('x') }}", "a"),
        ("{{ a | default(b) }}", "b"),
        ("{% if item.a is defined %}{{ item.a }}{% else %}{{ b }}{% endif %}", "b"),
        ("{% if item.a is undefined %}-{% else %}{{ item.a }}{{ a }}{% endif %}", ""),
        ("{% if a is defined and a > 1 %}{{ b }}{% endif %}{{ c }}", "b c"),
        ("{% if 'a' in item %}{{ item.a }}{% endif %}", ""),
        ("{% if item.a %}{{ b }}{% endif %}", "a b"),
        ("{{ a if a is defined else b }}", "b"),
        ("{{ item.a if b else c }}", "a b c"),
        ("{% for x in item.xs if x.y %}{{ x }}{{ loop.index }}{{ z }}{% endfor %}", "xs z"),
        ("{% for k, v in item.items() %}{{ k }}{{ v }}{% endfor %}", ""),
        ("{{ item.get('a') }}{{ item | tojson }}", ""),
        ("{{ item.keys }}", "keys"),
        ("{% set x = item.a %}{{ x }}{% set y %}{{ b }}{% endset %}{{ y }}", "a b"),
        ("{{ x }}{% set x = 1 %}", "x"),
        ("{% if a %}{% set x = 1 %}{% endif %}{{ x }}", "a"),
        ("{% with x = item.a %}{{ x }}{% endwith %}{{ x }}", "a x"),
        ("{% macro m(x, y=a) %}{{ x }}{{ y }}{{ z }}{{ varargs }}{% endmacro %}{{ m(1) }}", "a z"),
        ("{% for i in range(3) %}{% set ns = namespace(i=i) %}{% endfor %}{{ dict(a=b) }}", "b"),
        ("{% call(x) m(a) %}{{ x }}{{ b }}{% endcall %}", "a b m"),
        ("{% for item in rows %}{{ item.x }}{% endfor %}", "rows"),
        ("{{ output_text }}{{ sample.response }}{{ output_a }}", ""),
        ("plain", ""),
    ],
)
def test_the_columns_a_template_cannot_do_without_are_known(source: str, columns: str) -> None:
    found = template(source).columns
    assert found == frozenset(columns.split())
    assert compile_body({"prompt": source}, where="p").columns == found


@pytest.mark.parametrize(
    ("source", "names", "probes"),
    [
        ("{{ item.a }}", "", False),
        ("{{ output_text }} {{ sample.output_text | trim | lower }}", "output_text", False),
        ("{{ sample.output_a }} {{ output_b }}", "output_a output_b", False),
        ("{{ sample.output_text.split(':')[1] }}", "output_text", True),
        ("{{ output_text | length }}", "output_text", True),
        ("{% if output_text %}x{% endif %}", "output_text", True),
        ("{{ response }}", "response", False),
        ("{{ sample.response.choices[0] }}", "response", True),
        ("{{ sample | tojson }}", "sample", True),
        ("{{ sample.response | default('') }}", "response", False),
    ],
)
def test_what_a_template_reads_of_the_sample_is_known(source: str, names: str, probes: bool) -> None:
    found = template(source)
    assert found.sample_names == frozenset(names.split())
    assert found.reads_sample == bool(names)
    assert found.reads_response == bool({"response", "sample"} & found.sample_names)
    assert found.probes_sample == probes


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("{{ item.a | default('x') }}{% if b is defined %}{{ c }}{% endif %}", "a b c"),
        ("{% if 'a' in item %}x{% endif %}{{ item.get('b', c) }}", "a b c"),
        ("{{ item.a.b[d] }}{{ info.question }}", "a d info"),
        ("{% for x in xs %}{{ x }}{{ item.z }}{% endfor %}", "xs z"),
        ("{{ sample.output_text }}{{ output_text }}", ""),
        ("{{ item | tojson }}", None),
        ("{% for k, v in item.items() %}{{ k }}{% endfor %}", None),
        ("{{ item[key] }}", None),
        ("{{ item.get(key) }}", None),
        ("{% set row = item %}{{ row.a }}", None),
        ("{% for item in rows %}{{ item }}{{ item.get('x') }}{{ 'y' in item }}{% endfor %}", "rows"),
    ],
)
def test_the_columns_a_template_names_are_known_and_whether_it_reads_others(source: str, named: str | None) -> None:
    reads = template(source).reads
    assert reads.whole_row == (named is None)
    assert named is None or reads.named == tuple(named.split())


def test_without_sample_names_only_columns_stand_at_the_top() -> None:
    source = "{{ response }} {{ sample.response }} {{ output_text | default('none') }}"
    plain = compile_template(source, where="p", sample_names=False)
    row, sample = {"response": "column"}, {"response": "reply", "output_text": "out"}
    assert plain.render(context(row, sample, sample_names=False)) == "column reply none"
    assert plain.columns == plain.sample_names == {"response"}
    assert plain.reads.named == ("response", "output_text")
    named = compile_template(source, where="p")
    assert named.render(context(row, sample)) == "reply reply out"
    assert not named.columns
    assert named.sample_names == {"response", "output_text"}


@given(st.text() | st.text(alphabet="{}%#-+raw \r\n'\"\\\\"), st.text(alphabet="{}%# \r\n"))
def test_a_literal_gives_just_its_text_wherever_it_stands(text: str, other: str) -> None:
    assert render(literal(text)) == text
    assert render(literal(text) + literal(other)) == text + other
    assert render(f"{literal(text)}{{{{ x }}}}{literal(other)}", {"x": "-"}) == f"{text}-{other}"
    assert compile_body({"prompt": literal(text)}, where="p").render(context({}, None)) == {"prompt": text}


@pytest.mark.parametrize("text", ["{% raw %}{{ x }}{% endraw %}", "a\r\nb\r", "{# no #}\n\n", "{{{", '{"a": {"b": 1}}'])
def test_a_literal_keeps_markup_and_line_ends(text: str) -> None:
    assert render(literal(text), {"x": 1}) == text
    assert template(literal(text)).columns == frozenset()


def test_the_images_of_a_row_go_with_its_prompt() -> None:
    url = "data:image/png;base64,eA=="
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "{{ question }}"}]}
    prompt = compile_prompt(Prompt(body=body, images="pictures"), where="p")
    told = prompt.render(context({"question": "What?", "pictures": url}, None))["messages"]
    assert told[0]["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    for row in ({"question": "What?"}, {"question": "What?", "pictures": None}):
        assert prompt.render(context(row, None)) == {"messages": [{"role": "user", "content": "What?"}]}
    completion = compile_prompt(Prompt(body={"prompt": "x"}, images="pictures"), where="the prompt")
    with pytest.raises(TemplateInvalid, match="the prompt: there is no message of the user"):
        completion.render(context({"pictures": [url]}, None))


@pytest.mark.parametrize("source", ["{{ item.nope }}", "{{ nope }}", "{{ item.a.nope }}", "{{ item['nope'] | upper }}"])
def test_a_value_that_is_not_there_is_a_missing_field(source: str) -> None:
    with pytest.raises(MissingField, match="nope") as missing:
        render(source, {"a": {"x": 1}, "b": 2})
    assert "metric 'accuracy' (right)" in str(missing.value)


def test_a_missing_key_is_named_beside_those_there_are() -> None:
    with pytest.raises(MissingField, match="'nope' is not among: a, b"):
        render("{{ item.nope }}", {"a": 1, "b": 2})
    assert render("{{ item.nope is defined }}", {"a": 1}) == "False"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ a", "line 1: unexpected end of template"),
        ("\n\n{{ a | nosuch }}", "line 3: No filter named 'nosuch'"),
        ("{% if a %}", "line 1: Unexpected end of template"),
        ("{% include 'x' %}", "line 1: 'include' is not supported"),
        ("{% extends 'x' %}", "line 1: 'extends' is not supported"),
        ("{% from 'x' import y %}", "line 1: 'fromimport' is not supported"),
        ("{{ " + "(" * 2_000 + "a" + ")" * 2_000 + " }}", "nested too deeply"),
        ("{% if 1 %}" * 200 + "{% endif %}" * 200, "nested too deeply"),
    ],
)
def test_a_broken_template_is_named_with_its_line(source: str, message: str) -> None:
    with pytest.raises(TemplateInvalid) as invalid:
        template(source)
    assert invalid.value.message.startswith("metric 'accuracy' (right)")
    assert message in invalid.value.message


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ item.__class__ }}",
        "{{ item.__init__.__globals__ }}",
        "{{ range.__globals__ }}",
        "{{ self.__class__ }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ item.update({'a': 1}) }}",
        "{{ [].append(1) }}",
        "{{ {}.fromkeys([1]) }}",
        "{{ (1).to_bytes(9) }}",
        "{{ 'a'.encode() }}",
        "{% set x = ''.__class__ %}{{ x.mro() }}",
        "{{ namespace.__init__ }}",
        "{{ [''] | map(attribute='__class__') | first }}",
        "{{ cycler.__init__.__globals__.os }}",
    ],
)
def test_a_template_does_not_get_out_of_the_sandbox(source: str) -> None:
    with pytest.raises((TemplateInvalid, MissingField)) as refused:
        render(source, {"a": 1})
    assert "metric 'accuracy' (right)" in str(refused.value)
    assert any(word in str(refused.value) for word in ("unsafe", "may not call", "undefined", "is not safely callable"))


GROW = "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = EXPRESSION %}{% endfor %}{{ ns.x }}"


@pytest.mark.thorough
@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 10 ** 9 }}",
        "{{ 10 ** 9 * 'a' }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ 10 ** 99999999 }}",
        "{{ (10 ** 3000) * (10 ** 3000) }}",
        "{{ range(10 ** 9) | list }}",
        "{% for i in range(400) %}{% for j in range(400) %}{% endfor %}{% endfor %}",
        "{% for a in item.xs %}{% for b in item.xs %}{% for c in item.xs %}{% endfor %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in range(100000) %}" + "a" * 200 + "{% endfor %}",
        "{% set x %}{% for i in range(99999) %}{{ item.long }}{% endfor %}{% endset %}",
        GROW.replace("EXPRESSION", "ns.x + ns.x"),
        GROW.replace("EXPRESSION", "ns.x ~ ns.x"),
        GROW.replace("EXPRESSION", "ns.x * 2"),
        GROW.replace("EXPRESSION", "ns.x.replace('a', ns.x)"),
        GROW.replace("EXPRESSION", "[ns.x, ns.x]"),
        GROW.replace("EXPRESSION", "(ns.x, ns.x)"),
        GROW.replace("EXPRESSION", "{'a': ns.x, 'b': ns.x}"),
        GROW.replace("EXPRESSION", "dict(a=ns.x, b=ns.x)"),
        GROW.replace("EXPRESSION", "'%s%s' % (ns.x, ns.x)"),
        GROW.replace("EXPRESSION", "'{0}{0}'.format(ns.x)"),
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{{ 'a'.center(10 ** 9) }}",
        "{{ 'a' | center(10 ** 9) }}",
        "{{ 'a'.ljust(10 ** 9) }}{{ 'a'.rjust(10 ** 9) }}",
        "{{ 'a'.zfill(10 ** 9) }}",
        "{{ '\t'.expandtabs(10 ** 9) }}",
        "{{ 'a' | indent(10 ** 9, first=true) }}",
        "{{ (range(90000) | list) | join('a' * 1000) }}",
        "{{ ('a' * 1000).join(range(90000) | map('string')) }}",
        "{{ 1 | round(10 ** 9) }}",
        "{{ 1 | round(-(10 ** 9)) }}",
        "{{ [] | batch(10 ** 9, 0) | list }}",
        "{{ [] | slice(10 ** 9) | list }}",
        "{{ [[1], [2]] | sum(start=[]) }}",
    ],
)
def test_a_template_that_would_run_away_is_stopped(source: str) -> None:
    with pytest.raises(TemplateInvalid) as stopped:
        render(source, {"xs": list(range(200)), "long": "a" * 1000})
    assert re.search("cannot be rendered: (it|its|a format) ", stopped.value.message)
    assert len(stopped.value.message) < 200


@pytest.mark.parametrize("source", ["{{ a + 1 }}", "{{ 1 / 0 }}", "{{ a | int // b }}", "{% for x in a %}{% endfor %}"])
def test_what_goes_wrong_in_an_expression_is_named_with_its_line(source: str) -> None:
    with pytest.raises(TemplateInvalid, match=r"metric 'accuracy' \(right\), line 2: cannot be rendered: ."):
        render("\n" + source, {"a": None, "b": 0})
    assert template("\n" + source).columns <= {"a", "b"}


@given(JSON_VALUES)
def test_tojson_is_read_back_as_it_was(value: Any) -> None:
    row = {"value": value}
    assert orjson.loads(render("{{ item.value | tojson }}", row)) == value
    body = compile_body({"prompt": "{{ value | tojson }}", "n": 1}, where="p")
    assert body.render(context(row, None)) == {"prompt": value, "n": 1}


def test_every_string_of_a_body_is_rendered() -> None:
    body = compile_body(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "{{ question }}"}]},
            ],
            "max_tokens": 5,
            "stop": ["{{ item.stop }}"],
            "user": None,
        },
        where="prompt",
    )
    assert body.columns == {"question", "stop"}
    assert not body.reads_sample
    assert body.render(context({"question": "Why?", "stop": "\n"}, None)) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
        ],
        "max_tokens": 5,
        "stop": ["\n"],
        "user": None,
    }


def test_messages_can_be_one_template_that_gives_a_list() -> None:
    messages = [{"role": "user", "content": "1 < 2"}]
    body = compile_body({"messages": "{{ item.messages | tojson }}"}, where="prompt")
    assert body.render(context({"messages": messages}, None)) == {"messages": messages}
    with pytest.raises(TemplateInvalid, match=r"prompt \(messages\): it must be a list"):
        body.render(context({"messages": "hello"}, None))
    with pytest.raises(TemplateInvalid, match=r"prompt \(messages\): it must be a list"):
        compile_body({"messages": "{{ item.question }}"}, where="prompt")


def test_a_text_with_json_inside_stays_a_text() -> None:
    body = compile_body({"prompt": "Use {{ item.facts | tojson }}."}, where="prompt")
    assert body.render(context({"facts": ["a"]}, None)) == {"prompt": 'Use ["a"].'}
    assert compile_body({"prompt": "{{ q }}"}, where="p").render(context({"q": "[1]"}, None)) == {"prompt": "[1]"}


def test_a_broken_string_is_named_by_its_path_in_the_body() -> None:
    with pytest.raises(TemplateInvalid, match=r"prompt \(messages\[1\]\.content\), line 1: "):
        compile_body({"messages": [{"content": "ok"}, {"content": "{{"}]}, where="prompt")
    body = compile_body({"messages": [{"content": "{{ nope }}"}]}, where="prompt")
    with pytest.raises(MissingField, match=r"prompt \(messages\[0\]\.content\): 'nope' is undefined"):
        body.render(context({}, None))

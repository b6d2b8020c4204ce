from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import TemplateInvalid
from tasks.templates import account, template
from tasks.templates.template import MissingField, compile_body, compile_template, context, of_columns
from tests.tasks.templates.hostile import ROW, from_grammar, known

FEW = 1_000_000
"""Units of work, for templates that would use all that there are."""
PLAIN = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)


def render(source: str, row: dict[str, Any] | None = None) -> str:
    return compile_template(source, where="the prompt").render(context(ROW if row is None else row, None))


def outcome(source: str) -> str:
    """Return what a template gives, or why it gives nothing."""
    try:
        return render(source)
    except (TemplateInvalid, MissingField) as refused:
        return str(refused)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MAX_WORK", FEW)
    monkeypatch.setattr(account, "MAX_OUTPUT", FEW)


def test_there_are_enough_hostile_templates() -> None:
    assert len({*known(), *from_grammar(120)}) > 280


@pytest.mark.thorough
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("source", known())
def test_a_known_trick_ends_within_its_account(source: str) -> None:
    assert len(outcome(source)) < FEW


@pytest.mark.usefixtures("few")
def test_random_templates_end_within_their_account_and_most_are_stopped_by_it() -> None:
    outcomes = [outcome(source) for source in from_grammar(60)]
    assert all(len(each) < FEW for each in outcomes)
    assert sum("units of work" in each for each in outcomes) > 20


@pytest.mark.parametrize(
    "statement",
    [
        "{% set ns.x = 'ab' | upper %}",
        "{% set ns.x = 'ab' + 'c' %}",
        "{% set ns.x = i // 2 %}",
        "{% set ns.x = 'ab'.upper() %}",
        "{% set ns.x = 'ab' is upper %}",
        "{% set ns.x = 'ab' ~ i %}",
        "{% set ns.x = xs == long %}",
        "{% set ns.x = long[1:] %}",
        "{% set ns.x %}ab{% endset %}",
        "{{ i }}",
        "{% for j in [1] %}{% endfor %}",
        "{% set ns.x = m() %}",
    ],
)
def test_each_thing_done_draws_on_the_account(statement: str) -> None:
    def spent(source: str) -> int:
        compiled = compile_template(source, where="w").program.template
        used = compiled.new_context(dict(context(ROW, None)))
        list(compiled.root_render_func(used))
        assert isinstance(used, account.Account)
        return used.spent

    start = "{% set ns = namespace(x=1) %}{% macro m() %}{% endmacro %}{% set i = 4 %}"
    assert spent(start + statement * 9) - spent(start) >= 9 * account.PART


@pytest.mark.parametrize("source", Path(__file__).with_name("benign.txt").read_text().splitlines())
def test_what_is_asked_in_good_faith_comes_out_as_jinja_makes_it(source: str) -> None:
    assert render(source) == PLAIN.from_string(source).render(ROW)


@pytest.mark.parametrize(
    "growing", ["'xyz' * 99", "('xyz' ~ 'a') | upper", "[[7]] * 99", "7 // 2", "'xyz' | center(99)"]
)
def test_nothing_is_worked_out_when_a_template_is_compiled(growing: str) -> None:
    code = compile_template(f"{{{{ {growing} }}}}", where="w").program.template.root_render_func.__code__
    assert not any(isinstance(const, str | tuple) and len(const) > 30 for const in code.co_consts)
    assert code.co_names, "the expression is still there"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a" * 1_000_001, "it has 1,000,001 characters of 1,000,000 at most"),
        ("\n{{ a }}" * 2_001, "it has more than 10,000 words and signs of markup"),
        ("{%" * 400_000, "it has more than 10,000 words and signs of markup"),
        ("{{ " + "[" * 3_000 + "]" * 3_000 + " }}", "it is nested too deeply"),
        ("{{ a" + ".b" * 3_000 + " }}", "it is nested too deeply"),
        ("{{ " + "a + " * 2_000 + "a }}", "it is nested too deeply"),
        ("{{ " + "9" * 5_000 + " }}", "Exceeds the limit (4300 digits)"),
        ("{{ 0x" + "f" * 9_000 + " }}", "Exceeds the limit (4300 digits)"),
    ],
)
def test_a_template_that_is_too_much_to_compile_is_refused_by_what_is_too_much(source: str, message: str) -> None:
    with pytest.raises(TemplateInvalid, match="the prompt") as refused:
        compile_template(source, where="the prompt")
    assert message in refused.value.message


def test_a_long_text_without_markup_is_no_trouble() -> None:
    assert len(render("A line of an example.\n" * 40_000)) == 880_000
    assert of_columns("A line.") == "A line."


def test_a_body_has_so_many_templates_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "MAX_TEMPLATES", 5)
    with pytest.raises(TemplateInvalid, match=r"the prompt \(x\[5\]\): the body has more than 5 templates"):
        compile_body({"x": [f"{{{{ a{i} }}}}" for i in range(9)]}, where="the prompt")


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("{{ long }}", "it makes a text or list of more than 1,000,000 characters"),
        ("{{ long | upper | length }}", "it takes more than 1,000,000 units of work"),
        ("{{ (long * 2) | length }}", "it takes more than 1,000,000 units of work"),
    ],
)
def test_the_templates_of_a_body_have_one_account(source: str, limit: str) -> None:
    assert render(source * 9)
    body = compile_body({"x": {f"k{i}": [source] for i in range(200)}}, where="the prompt")
    with pytest.raises(TemplateInvalid, match=limit):
        body.render(context(ROW, None))


def test_many_keys_are_not_all_named() -> None:
    with pytest.raises(MissingField, match=r"among: k0, k1, .*k99, \.\.\.$"):
        render("{{ item.nope }}", {f"k{i}": i for i in range(5_000)})

"""Templates that try to take a worker's time or memory: known tricks, and random ones from a grammar."""

import random
import re
from collections.abc import Iterator
from typing import Any, Final

ROW: Final[dict[str, Any]] = {
    "xs": list(range(200)),
    "long": "ab " * 3_000,
    "digits": "9" * 20_000,
    "nested": {"a": [{"b": ["c", "d"]}] * 10},
}

_DOUBLED = "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
_DOUBLED += "{% set ns.y = [ns.y, ns.y] %}{% endfor %}"
_DICTS = _DOUBLED.replace("[ns.x, ns.x]", "{'a': ns.x, 'b': ns.x}").replace("[ns.y, ns.y]", "{'a': ns.y, 'b': ns.y}")
_TUPLES = _DOUBLED.replace("[ns.x, ns.x]", "(ns.x, ns.x)").replace("[ns.y, ns.y]", "(ns.y, ns.y)")
_DEEP = _TUPLES.replace("(ns.x, ns.x)", "(ns.x,)").replace("(ns.y, ns.y)", "(ns.y,)").replace("60", "2000")
_HASHED = ["{ns.x: 1}", "{}.get(ns.x)", "{}[ns.x]", "item[ns.x]", "[ns.x] | unique | list", "dict([[ns.x, 1]])"]
_OFTEN = "{% for i in range(99999) %}BODY{% endfor %}"
_TEXT = "{% set t = 'ab ' * 3000000 %}"

_READS_OF_DOUBLED = """
    ns.x == ns.y| ns.x != ns.y| ns.x < ns.y| ns.x in [ns.y]| [ns.x] == [ns.y]| 1 if ns.x == ns.y else 2
    ns.x is eq ns.y| ns.x is in [ns.y]| [ns.x]+[ns.y] == [ns.y]+[ns.x]| [ns.x, ns.y] @ sort| [ns.x, ns.y] @ max
    [[ns.x, 1]] @ unique @ list| [ns.x] @ select('eq', ns.y) @ list
    [{'k': ns.x}] @ selectattr('k', 'eq', ns.y) @ list| ns.x @ string| ns.x @ tojson| ns.x @ tojson(2)
    ns.x @ upper| ns.x @ length ~ ns.x| '%s' % ns.x| '%(a)s' % {'a': ns.x}| '{}'.format(ns.x)| ns.x| ns.x @ join
    dict(a=ns.x)| [ns.x].count(ns.y)| [ns.x].index(ns.y)| ns.x @ e| ns.x @ safe| ns.x @ format| ns.x @ urlencode
    {'a': ns.x} == {'a': ns.y}| {1: ns.x}.values() @ list == [ns.y]| loop is defined or ns.x == ns.y
    ns.x @ wordcount| [ns.x, ns.y] @ groupby('0')| [ns.x, ns.y] @ min| ns.x @ trim| ns.x @ replace('a', 'b')
    ns.x == ns.y == ns.x| not ns.x == ns.y| (ns.x, 1) == (ns.y, 1)| cycler(ns.x)| ns.x @ title
    ns.x @ default(1) == ns.y| ns.x @ first == ns.y
""".replace("\n", "|").split("|")

_OFTEN_BODIES = """
    {% set x = t @ upper %}| {% set x = t[1:] %}| {% set x = t + 'a' %}| {% set x = t ~ i %}
    {% set x = t @ replace('a', 'b') %}| {% set x = t.split() %}| {% set x = t.lower() %}
    {% set x = t.count('b') %}| {% set x = t.find('z') %}| {% set x = t == t[1:] %}| {% set x = 'z' in t %}
    {% set x %}{{ t }}{% endset %}| {% set x = t @ trim %}| {% set x = t @ length ~ t @ title %}
    {% set x = t @ int %}| {% set x = t @ striptags %}| {% set x = t @ urlencode %}| {% set x = t @ wordcount %}
    {% set x = t @ e %}| {% set x = range(0) @ list @ batch(99999, 0) @ list %}
    {% set x = [1] @ batch(99999, 0) @ first %}| {% set x = t @ center(9) %}| {% set x = t @ truncate(5) %}
    {% set x = t.splitlines() %}| {% set x = t.strip('b ') %}| {% set x = t @ list %}| {% set x = t @ reverse %}
    {% set x = t @ sort %}| {% set x = t @ unique @ list %}| {% set x = t is upper %}| {% set x = t @ tojson %}
    {% set x = t is eq 'a' + t %}| {% set x = t.startswith(t) %}| {% set x = t.isalpha() %}
    {% set x = t.partition('z') %}| {% set x = t @ indent %}| {% set x = t @ map('upper') @ list %}
    {% set x = t.rfind('z' * 1000) %}| {% set x = t @ capitalize %}| {% set x = {t: 1}.get(t ~ '') %}
    {% set x = t % 1 %}| {% set x = t.format(1) %}| {% filter upper %}{{ t }}{% endfilter %}
""".replace("\n", "|").split("|")

_SINGLE = r"""
    {{ 'x' * 10 ** 9 }}| {{ ['x'] @ map('center', 10 ** 9) @ list }}| {{ xs @ map('center', 10 ** 6) @ list }}
    {{ xs @ map('ljust', 9) @ list }}| {{ '%(a)999999999d' % {'a': 1} }}| {{ '%(a(b)c)999999999d' % {'a(b)c': 1} }}
    {{ '%(a).999999999f' % {'a': 1} }}| {{ '{0[a]:999999999}'.format({'a': 1}) }}
    {{ '{a[:]:999999999}'.format(a={':': 1}) }}| {{ '{0[}]:999999999}'.format({'}': 1}) }}
    {{ '{:{}}'.format(1, 999999999) }}| {{ '%-*d' % (999999999, 1) }}| {{ digits @ int // 7 }}
    {{ (digits @ int(base=16)) // 7 }}| {{ ('f' * 1000000) @ int(base=16) % 7 }}| {{ 7 ** 99999 // 3 }}
    {{ 2 ** 9999 * 2 ** 9999 }}| {{ xs @ map('format', 'a') @ list @ length * '%s' * 10 ** 8 }}
    {{ ('a' * 1000000).rfind('b' + 'a' * 500000) }}| {{ ('a' * 1000000).strip('b' * 900000 + 'a') }}
    {{ ('a' * 1000000) @ trim('b' * 900000 + 'a') }}| {{ xs @ sum(start='a') }}| {{ xs @ batch(10 ** 9) @ list }}
    {{ (xs * 10 ** 6) @ length }}| {{ ((xs * 1000) * 1000) @ length }}
    {{ xs @ map('string') @ join('a' * 10 ** 6) }}
    {% set ns = namespace() %}{% set ns.a = ns %}{{ [ns] * 90000 @ map(attribute='a.' * 90000 + 'a') @ list }}
    {% set ns = namespace() %}{% set ns.a = ns %}{{ [ns] @ map(attribute=('a.' * 90000 + 'a')) @ list }}
    {% for a in xs recursive %}{{ loop(xs) }}{% endfor %}
    {% for a in xs recursive %}{% if loop.depth < 9 %}{{ loop(xs) }}{% endif %}{% endfor %}
    {% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}
    {% macro m(n) %}{{ caller() }}{{ caller() }}{% endmacro %}{% call m(1) %}{{ 'a' * 9000000 }}{% endcall %}
    {{ ('a' * 9000000) @ list @ length }}| {{ ('é' * 9000000) @ list @ length }}
    {{ ('a,' * 4500000).split(',') @ length * 'a' * 9 }}| {{ range(10 ** 9) }}
    {{ range(99999) @ sum }}{{ range(99999) @ sum }}| {{ (range(99999) @ list * 100) @ sum }}
    {{ ('<!---->' * 1000000) @ striptags }}| {{ ('<a>' * 3000000) @ striptags }}| {{ 'a'.zfill(10 ** 9) }}
    {{ '\t'.expandtabs(10 ** 9) }}| {{ ('\n' * 9000) @ indent(9000) }}| {{ 0.1 @ round(10 ** 9) }}
    {{ 'a' @ indent(10 ** 9, true) }}| {{ ('&' * 9000000) @ e @ e @ e }}
    {{ ('a' * 9000000) @ replace('a', 'b' * 100) }}| {{ ('a' * 9000000) @ replace('', 'b' * 100) }}
    {{ dict(a=1).items() @ list * 10 ** 9 }}| {{ (xs, xs) * 10 ** 9 }}| {{ 10 ** 9 * [1] }}| {{ [[]] * 10 ** 9 }}
""".replace("\n", "|").split("|")


def known() -> list[str]:
    """Return the known tricks, each of which wants more than a rendering has, or gives little."""
    reads = [part.strip().replace("@", "|") for part in _READS_OF_DOUBLED if part.strip()]
    bodies = [part.strip().replace("@", "|") for part in _OFTEN_BODIES if part.strip()]
    single = [part.strip().replace("@", "|") for part in _SINGLE if part.strip()]
    doubled = [f"{setup}{{{{ {read} }}}}" for setup in (_DOUBLED, _DICTS) for read in reads]
    hashed = [f"{setup}{{{{ {read} }}}}" for setup in (_TUPLES, _DEEP) for read in (*reads, *_HASHED)]
    return [*doubled, *hashed, *(_TEXT + _OFTEN.replace("BODY", body) for body in bodies), *single]


# Random ones.

_TEXTS = ["long", "digits", "'ab'", "ns.x", "'é' * 99999", "nested.a[0].b[0]", "'&<a>\\t'"]
_LISTS = ["xs", "nested.a", "ns.y", "range(999) | list", "[]", "nested.values() | list", "(1, 'a')"]
_NUMBERS = ["1", "i", "99999", "2.5", "-3", "0xffffffff"]
_OF_TEXT = """
    TEXT | upper; TEXT | title; TEXT | e; TEXT | center(99999); TEXT | indent(99, true); TEXT | replace('a', TEXT)
    TEXT + TEXT; TEXT ~ LIST; TEXT * 9; (TEXT)[1:]; LIST | join(TEXT); LIST | tojson(9); LIST | string
    '%s%s' % (TEXT, LIST); '{0}{0}'.format(LIST); TEXT | urlencode; TEXT | striptags; (TEXT).ljust(9999)
    TEXT | trim(TEXT); m(TEXT); TEXT.join(LIST); TEXT | truncate(99); (NUMBER) | string; TEXT | tojson
    (TEXT).strip(TEXT); (TEXT).expandtabs(99); LIST | first | string; dict(a=LIST) | tojson
""".replace("\n", ";").split(";")
_OF_LIST = """
    LIST + LIST; LIST * 9; [LIST, LIST]; (TEXT).split(); (TEXT).split('a'); TEXT | list
    LIST | map('string') | list; LIST | reverse | list; LIST | batch(9, TEXT) | list; LIST | slice(99) | list
    LIST | map('center', 9999) | list; LIST | unique | list; (LIST)[::-1]; LIST | select('eq', LIST) | list
    LIST | reject('in', LIST) | list; [TEXT, NUMBER, LIST]; {'a': LIST}.items() | list; LIST | sort
    (TEXT).partition(TEXT) | list; LIST | groupby('a') | list; (TEXT).splitlines(); LIST | map('tojson') | list
    LIST | map('list') | list
""".replace("\n", ";").split(";")
_OF_NUMBER = """
    NUMBER * NUMBER; NUMBER ** NUMBER; NUMBER // 7; NUMBER % 7; TEXT | int; TEXT | int(base=16); LIST | length
    LIST | sum; LIST == LIST; TEXT in LIST; LIST < LIST; TEXT == TEXT; LIST in [LIST]; (TEXT).count('a')
    (TEXT).rfind(TEXT); TEXT | wordcount; NUMBER - NUMBER; LIST is eq LIST; LIST | max; NUMBER | round(9)
    TEXT | float; (LIST).count(LIST); TEXT is upper; NUMBER if LIST != LIST else NUMBER
""".replace("\n", ";").split(";")
_STATEMENTS = """
    {{ TEXT }}; {{ LIST }}; {{ NUMBER }}; {% set ns.x = TEXT %}; {% set ns.x = TEXT %}; {% set ns.y = LIST %}
    {% set ns.y = LIST %}; {% for i in LIST %}STATEMENT{% endfor %}; {% for i in range(99) %}STATEMENT{% endfor %}
    {% if NUMBER %}STATEMENT{% endif %}; {% set ns.x %}STATEMENT{{ TEXT }}{% endset %}
    {% call m(TEXT) %}STATEMENT{% endcall %}; {% filter e %}STATEMENT{% endfilter %}
    {% for i in LIST recursive %}STATEMENT{% if loop.depth < 4 %}{{ loop(LIST) }}{% endif %}{% endfor %}
""".replace("\n", ";").split(";")
_RULES = {
    "TEXT": (_OF_TEXT, _TEXTS),
    "LIST": (_OF_LIST, _LISTS),
    "NUMBER": (_OF_NUMBER, _NUMBERS),
    "STATEMENT": (_STATEMENTS, ["."]),
}
_SYMBOL = re.compile("|".join(_RULES))
_START = "{% set ns = namespace(x='ab', y=[1]) %}"
_START += "{% macro m(i) %}{{ i }}{{ caller() if caller is defined else '' }}{% endmacro %}"


def from_grammar(number: int, seed: int = 12) -> Iterator[str]:
    """Yield random templates: loops over growing values, the same ones for the same seed."""
    chance = random.Random(seed)

    def written(symbol: str, depth: int) -> str:
        rules = [rule.strip() for rule in _RULES[symbol][0 if depth else 1] if rule.strip()]
        rule = chance.choice(rules)
        made = _SYMBOL.sub(lambda found: written(found[0], max(depth - 1, 0)), rule)
        return made if symbol == "STATEMENT" else f"({made})"

    for _ in range(number):
        body = "".join(written("STATEMENT", 4) for _ in range(3))
        yield f"{_START}{{% for i in range(40) %}}{body}{{% endfor %}}{{{{ ns.x }}}}{{{{ ns.y == ns.x }}}}"

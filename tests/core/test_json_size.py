import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.json_size import _WINDOW, count_outside

VALUES = st.recursive(
    st.none() | st.integers() | st.text('a"\\,[{\n', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\,', max_size=4), inner, max_size=4),
    max_leaves=30,
)


def separators(value: Any) -> int:
    """The commas and opening brackets with which JSON has a value, counted by its parts."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    own = 1 + max(len(parts) - 1, 0) if isinstance(value, dict | list) else 0
    return own + sum(map(separators, parts))


@given(VALUES, st.booleans())
def test_signs_in_strings_are_not_counted(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1).encode()
    assert count_outside(text, b",[{") == separators(value)


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("text", ['",,"', '"\\",\\\\"', '"\\\\\\","', '"[{'])
def test_a_string_may_go_over_the_end_of_a_window(before: int, text: str) -> None:
    begun = b" " * (_WINDOW - before) + text.encode()
    assert count_outside(begun, b",[{") == 0
    if not text.endswith("{"):
        assert count_outside(begun + b" ,[", b",[{") == 2

"""What is too much of an answer is told before it is read."""

import pytest

from tasks.endpoint.answer import MAX_VALUES, TooMuch, read_body


@pytest.mark.parametrize("piece", [b"{},", b"[],", b"0,"])
def test_an_answer_of_very_many_values_is_not_read(piece: bytes) -> None:
    with pytest.raises(TooMuch, match="more than 1,000,000 values"):
        read_body(b'{"choices": [' + piece * (MAX_VALUES + 1) + b"0]}")


def test_what_stands_in_a_text_is_no_value() -> None:
    said = b",[{" * MAX_VALUES
    assert read_body(b'{"choices": "' + said + b'"}').value == {"choices": said.decode()}

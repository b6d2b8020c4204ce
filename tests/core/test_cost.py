import pytest

from core.cost import cost
from core.result import Usage
from core.settings import ModelSettings

PRICED = ModelSettings(price_per_million_input=2.5, price_per_million_output=10)


@pytest.mark.parametrize(
    ("tokens", "model", "expected"),
    [
        (Usage(400_000, 30_000), PRICED, 1.3),  # 0.4 x 2.50 + 0.03 x 10
        (Usage(400_000, None), PRICED, 1.0),
        (Usage(), PRICED, None),
        (Usage(1, 1), ModelSettings(price_per_million_input=1), None),
        (Usage(1, 1), ModelSettings(price_per_million_input=0, price_per_million_output=0), 0.0),
    ],
)
def test_tokens_cost_what_the_prices_say_and_nothing_is_guessed(tokens, model, expected):
    assert cost(tokens, model) == (None if expected is None else pytest.approx(expected))

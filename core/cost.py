"""What tokens cost, by the prices that the settings give of a model."""

from core.result import Usage
from core.settings import ModelSettings

MILLION = 1_000_000


def cost(tokens: Usage, model: ModelSettings) -> float | None:
    """Return the price of tokens in the currency of the settings; None without both prices, or without any count."""
    of_input, of_output = model.price_per_million_input, model.price_per_million_output
    counts = tokens.prompt_tokens, tokens.completion_tokens
    if of_input is None or of_output is None or counts == (None, None):
        return None
    sent, made = (count or 0 for count in counts)
    return (sent * of_input + made * of_output) / MILLION

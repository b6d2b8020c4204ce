"""The exact interval of a share, of which the product's is the closed form where all or none pass."""

from core.stats.distributions import upper_limit


def clopper_pearson(passed: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return limits that cover the share at least as often as `level` says: Clopper and Pearson 1934."""
    tail = (1 - level) / 2
    return 1.0 - upper_limit(n - passed, n, tail), upper_limit(passed, n, tail)

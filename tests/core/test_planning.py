"""Plans: what was planned is what the figures say of so many samples."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.planning import Aim, Noise, inflation_of, noise_of_trials, plan
from core.stats.power import detectable
from core.stats.proportion import wilson


@pytest.mark.parametrize(
    ("noise", "aim", "samples"),
    [
        # The vectors plan-binary-psi-.3-delta-.1 and plan-sd-1-delta-.2, of scipy and statsmodels.
        (Noise(changed=0.3), Aim(mde=0.1), 230),
        (Noise(deviation=1.0), Aim(mde=0.2), 199),
        # .6 and .7 if nothing is hard for both: .6 * .3 + .7 * .4 = .46 of them change; 3.5 clusters' worth of it.
        (Noise(passing=0.6), Aim(mde=0.1), plan(Noise(changed=0.46), Aim(mde=0.1)).samples),
        (Noise(changed=0.3, inflation=inflation_of(6, 0.5)), Aim(mde=0.1), 230 * 3.5),
        # Wilson's half at 1/2 is z / 2 sqrt(n + z^2): n = z^2 / 4 h^2 - z^2 = 384.15 - 3.84.
        (Noise(passing=0.5), Aim(half=0.05), 381),
        # 2.1098 / sqrt(18) = .4973, and 2.1199 / sqrt(17) = .5142: Student's t at 17 and 16 degrees of freedom.
        (Noise(deviation=1.0), Aim(half=0.5), 18),
        # As many trials as there can be leave the variance between samples: sqrt(.09) = .3.
        (noise_of_trials(0.09, 0.5, 10**9), Aim(samples=100), 100),
    ],
)
def test_so_many_samples_are_planned(noise: Noise, aim: Aim, samples: float) -> None:
    assert plan(noise, aim).samples == samples


def test_what_so_many_samples_find_is_told() -> None:
    # The vectors mde-sd-.3-n-100 and mde-sd-.5-n-20.
    assert plan(Noise(deviation=0.3), Aim(samples=100)).mde == pytest.approx(0.08488451950619744, abs=1e-9)
    assert plan(Noise(deviation=0.5), Aim(samples=20)).mde == pytest.approx(0.3302644009933185, abs=1e-9)
    assert plan(noise_of_trials(0.04, 0.15, 3), Aim(samples=100)).mde == plan(Noise(0.3), Aim(samples=100)).mde
    share = plan(Noise(passing=0.7), Aim(samples=100))
    low, high = wilson(70, 100)
    assert share.about == "mean"
    assert share.half_width == pytest.approx((high - low) / 2)
    assert plan(Noise(changed=0.01), Aim(samples=5)).mde is None
    alone = plan(Noise(changed=0.3, inflation=50.0), Aim(samples=50))
    assert (alone.mde, alone.half_width) == (None, None)


@pytest.mark.thorough
@given(
    st.one_of(
        st.builds(Noise, deviation=st.floats(0.05, 2)),
        st.builds(Noise, changed=st.floats(0.05, 1)),
        st.builds(Noise, passing=st.floats(0.1, 0.9)),
    ),
    st.floats(0.01, 0.05),
    st.sampled_from([0.01, 0.05]),
)
def test_what_is_planned_for_a_difference_finds_it_and_one_sample_fewer_does_not(
    noise: Noise, mde: float, alpha: float
) -> None:
    planned = plan(noise, Aim(mde=mde, alpha=alpha))
    if planned.samples == 2:
        return
    for samples, finds in ((planned.samples, True), (planned.samples - 1, False)):
        error = noise.at(mde) / sqrt(samples)
        assert (detectable(error, samples, alpha=alpha) <= mde) == finds
        found = plan(noise, Aim(samples=samples, alpha=alpha)).mde
        assert (found is not None and found <= mde * (1 + 1e-9)) == finds


@pytest.mark.parametrize(
    ("noise", "aim", "told"),
    [
        ({}, {"mde": 0.1}, "by one of: deviation, changed, passing"),
        ({"changed": 0.3, "passing": 0.5}, {"mde": 0.1}, "by one of: deviation, changed, passing"),
        ({"changed": 0.3}, {}, "by one of: mde, half_width, samples"),
        ({"changed": 0.3}, {"mde": 0.1, "samples": 9}, "by one of: mde, half_width, samples"),
        ({"changed": 0.0}, {"mde": 0.0}, "mde: a number above 0, and not 0"),
        ({"changed": 1.2}, {"mde": 0.1}, "changed: a number between 0 and 1 or that, and not 1.2"),
        ({"passing": 1.0}, {"mde": 0.1}, "passing: a number between 0 and 1, and not 1"),
        ({"deviation": float("nan")}, {"mde": 0.1}, "deviation: a number above 0, and not nan"),
        ({"changed": 0.3}, {"mde": 0.4}, "there can be no difference of 0.4 here; at most 0.3"),
        ({"deviation": 1.0}, {"mde": 1e-9}, "more than 10,000,000 samples"),
        ({"deviation": 1.0}, {"half": 1e-9}, "more than 10,000,000 samples"),
        ({"deviation": 1.0}, {"samples": 1}, "samples: from 2 to 10,000,000, and not 1"),
        ({"deviation": 1.0}, {"samples": 9, "alpha": 0.5}, "alpha: a number between 0 and 0.5, and not 0.5"),
        ({"deviation": 1.0}, {"samples": 9, "power": 1.0}, "power: at least 0.5, below 1, and not 1"),
    ],
)
def test_what_cannot_be_planned_is_refused_by_name(noise: dict[str, float], aim: dict[str, float], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        plan(Noise(**noise), Aim(**aim))  # type: ignore[arg-type]  # samples are whole numbers in the cases
    with pytest.raises(InvalidInput, match="icc: a number between 0 and 1 or that, and not 2"):
        inflation_of(5, 2)
    with pytest.raises(InvalidInput, match="trials: at least 1, and not 0"):
        noise_of_trials(1, 1, 0)

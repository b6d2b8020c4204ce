"""`assay plan` from assumptions: no service runs."""

import json

import pytest

from cli.main import answer


def test_a_plan_is_told_and_is_json_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "--mde", "0.1", "--changed", "0.3", "--available", "100"]
    assert answer([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["samples"], told["mde"], told["available"], told["with_available"]["samples"]) == (230, 0.1, 100, 100)
    assert told["with_available"]["mde"] == pytest.approx(0.1492, abs=1e-4)
    assert answer([*asked[:-1], "230", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["with_available"] is None
    assert answer(["plan", "--samples", "90", "--between", "0.04", "--within", "0.15", "--trials", "3"]) == 0
    assert answer(["plan", "--samples", "4", "--passing", "0.9", "--cluster-size", "4", "--icc", "1"]) == 0
    assert "4 samples find no difference that there can be.\nSamples that belong together take 4.00 times as many" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--mde", "0.1"], "by one of: --deviation, --changed, --passing"),
        (["a", "--mde", "0.1"], "name both results of a comparison, BASELINE and CANDIDATE, or neither"),
        (["a", "b", "--mde", "0.1", "--changed", "0.3"], "name no assumptions beside it"),
        (["--mde", "0.1", "--changed", "0.3", "--score", "x"], "--score: there is no comparison"),
        (["--mde", "0.1", "--between", "0.1", "--within", "1"], "--between, --within and --trials go together"),
        (
            ["--mde", "0.1", "--changed", "0.1", "--between", "1", "--within", "1", "--trials", "2"],
            "name no other assumption",
        ),
        (["--mde", "0.1", "--changed", "0.3", "--icc", "1"], "--cluster-size and --icc go together"),
        (["--mde", "0.1", "--changed", "0.3", "--available", "1"], "samples: from 2 to 10,000,000, and not 1"),
        (["--mde", "high", "--changed", "0.3"], "high"),
    ],
)
def test_what_is_no_plan_is_refused_by_name(asked: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["plan", *asked]) == 2
    said = capsys.readouterr()
    assert told in said.err + said.out


def test_what_is_wanted_is_asked_for_as_it_is_typed(capsys):
    assert answer(["plan"]) == 2
    assert capsys.readouterr().err == "say what is wanted, by one of: --mde, --half-width, --samples\n"
    assert answer(["plan", "--half-width", "-1", "--changed", "0.2"]) == 2
    assert capsys.readouterr().err.startswith("--half-width: ")

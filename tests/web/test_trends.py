"""The page of a trend."""

import re

import pytest

from core.endpoint import Endpoint
from core.metric import StringCheck
from core.spec import EvaluationSpec, ModelTarget, RecordedTarget, Target
from flows.control.finish import finish
from tests.scripted import Script, ScriptedEndpoint, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import spec
from tests.web import night
from tests.web.night import add
from web.jobs.paid import Paid, paid
from web.trends import routes
from web.trends.view import Run, stems

EQUALS = StringCheck(name="correct", left="{{ sample.output_text }}", operator="equals", right="yes")
NIGHTS = {"trend-1": ("old", 20), "trend-2": ("old", 21), "trend-3": ("new", 4), "trend-4": ("new", 5)}
"""The model that was asked, and how many of 24 answers were right."""


def asked(url: str, model: str) -> EvaluationSpec:
    target = ModelTarget(name="asked", endpoint=Endpoint(url=url, model=model))
    return spec(target, [{"n": n} for n in range(24)], EQUALS, prompt="{{ n }}")


def answers(right: int) -> Script:
    return lambda call: text("yes" if int(last_content(call["body"])) < right else "no")


@pytest.fixture(scope="module")
def jobs(site) -> dict[str, str]:
    made = {}
    with ScriptedEndpoint() as endpoint:
        for name, (model, right) in NIGHTS.items():
            endpoint.script = answers(right)
            made[name] = add(site.state, asked(endpoint.url, model), name=name)
            Lab(site.state, endpoint).carry_out(site.state.jobs.get(made[name]))
            finish(site.state, site.state.jobs.get(made[name]), "completed")
    return made


def test_the_runs_of_a_name_stand_in_their_order_with_what_changed(site, jobs):
    page = site.get("/trends?name=trend-")
    assert re.findall(r'<th scope="row" class="name"><a href="/jobs/(job-\w+)">', page) == list(jobs.values())[::-1]
    assert page.count('<circle class="point"') == 4
    assert re.findall(r'class="mark".*?<title>(.*?)</title>', page) == ["changed: model"]


def test_the_last_change_that_is_sure_is_named(site, jobs):
    page = site.get("/trends?name=trend-")
    assert "The last change that is more than chance: trend-3 was worse than the run before it: -0.708 [" in page
    assert f'<a href="/compare?a={jobs["trend-2"]}&amp;b={jobs["trend-3"]}">-0.708' in page
    page = site.get("/trends?name=trend-4")
    assert "1 completed runs" in page
    assert "No change that is more than chance was found" in page


def test_names_that_recur_are_offered(site, jobs):
    assert '<a href="/trends?name=trend">trend</a> <span class="quiet">4 runs</span>' in site.get("/trends")
    assert stems(["nightly", "nightly-a1b2c3", "once", "qa 2026-11-02", "qa 2026-11-03"]) == [("nightly", 2), ("qa", 2)]


def test_an_unknown_name_is_said(site):
    assert "No completed job" in site.get("/trends?name=<b>")
    assert "&lt;b&gt;" in site.get("/trends?name=<b>")


def test_of_many_scores_fewer_runs_are_shown(site, jobs, monkeypatch):
    monkeypatch.setattr(routes, "READINGS", 3)
    page = site.get("/trends?name=trend-")
    assert page.count('<circle class="point"') == 3
    assert "3 newest of 4 completed runs" in page


@pytest.fixture(scope="module")
def several(site) -> tuple[str, EvaluationSpec]:
    """A job of two models and a judge, and its specification."""
    rows = night.questions(6)
    with ScriptedEndpoint(night.Models({str(n): row for n, row in enumerate(rows)})) as endpoint:
        one, other = (night.evaluation(endpoint.url, model, rows) for model in ("small-1", "large-2"))
        prompts = {name: prompt for each in (one, other) for name, prompt in each.tasks[0].prompts.items()}
        task = one.tasks[0].model_copy(update={"prompts": prompts})
        both = one.model_copy(update={"targets": one.targets + other.targets, "tasks": (task,)})
        job_id = add(site.state, both, name="both-1")
        Lab(site.state, endpoint).carry_out(site.state.jobs.get(job_id))
        finish(site.state, site.state.jobs.get(job_id), "completed")
    return job_id, both


def test_each_of_several_targets_has_the_cost_of_its_own_calls(site, several):
    page = site.get("/trends?name=both-1")
    usage = site.state.jobs.get(several[0]).usage
    tokens = {each.model: each.tokens.prompt_tokens + each.tokens.completion_tokens for each in usage}
    assert tokens.keys() == {"small-1", "large-2", "judge-3"}
    for model in ("small-1", "large-2"):
        [series] = re.findall(rf"<h2>qa / {model} / correct.*?</section>", page, re.S)
        assert re.search(
            rf'{tokens[model]:,} <div class="quiet">tokens</div>\s*<div class="quiet">without judges</div>', series
        )
        assert series.count(f"{tokens[model]:,}") == 1


def test_what_cannot_be_told_apart_is_the_whole_job_s(site, several):
    job_id, both = several
    same = tuple(each.model_copy(update={"endpoint": both.targets[0].endpoint}) for each in both.targets)
    manifest = site.state.folder(job_id).read_manifest()
    job, all_of_it = site.state.jobs.listed(job_id), paid(site.state.jobs.listed(job_id).usage, site.state.settings)

    def run(*targets: Target) -> Run:
        spec = both.model_copy(update={"targets": targets})
        return Run(job, manifest.model_copy(update={"spec": spec}), (), all_of_it)

    assert run(*same).paid_for("large-2") == (all_of_it, "whole job")
    assert run(*both.targets[:1]).paid_for("") == (all_of_it, "")
    recorded_beside = run(both.targets[0], RecordedTarget(name="said", column="said"))
    assert recorded_beside.paid_for("said") == (Paid([]), "without judges")
    assert (recorded_beside.model("said"), recorded_beside.model("small-1")) == (None, "small-1")

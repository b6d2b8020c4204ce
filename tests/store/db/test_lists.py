from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.job import Face, Job, ListedJob
from core.queries.lists import Begins, Contains, Field, Listing, OneOf, Sort, Term, Within
from store.db.connect import reading, writing
from store.db.jobs import Jobs
from store.db.tables import jobs as table
from store.files.contents import Files
from tests.store.db.test_jobs import new_job

START = datetime.fromisoformat("2025-03-18")
NAMES = ("Training run", "EVAL_50%", "eval-2", "a,b", "Über-Größe", "日本", "x")
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def times(job: Job, moment: datetime, engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(table).where(table.c.id == job.id).values(created_at=moment, updated_at=moment))


@pytest.fixture
def jobs(engine: sa.Engine, tmp_path: Path) -> Jobs:
    """Thirty jobs of a few names and times, so that many tie."""
    found = Jobs(engine, Files(engine, tmp_path / "files"))
    for n in range(30):
        fields: dict[str, Any] = {
            "project": f"p{n % 3}",
            "custom_fields": {"team": "a" if n % 2 else 5, "ü": n % 2 == 0},
        }
        job = found.add(new_job(f"{NAMES[n % 7]} {n}", face="nemo-v1", namespace=f"n{n % 2}", **fields))
        times(job, START + timedelta(hours=n // 4), engine)
    return found


def added(jobs: Jobs, **fields: Any) -> Job:
    return jobs.add(new_job(face="nemo-v1", **fields))


def found(jobs: Jobs, *terms: Term) -> set[str]:
    page, total = jobs.page("nemo-v1", Listing(terms, page_size=1000))
    assert len(page) == total
    return {job.id for job in page}


fields: st.SearchStrategy[Term] = st.one_of(
    st.builds(OneOf, st.just(("project",)), st.lists(st.sampled_from(["p0", "p1", "p9"]), max_size=2).map(tuple)),
    st.builds(OneOf, st.just(("custom_fields", "team")), st.sampled_from([("a",), ("5",), ("5", "a")])),
    st.builds(
        Contains, st.just(("name",)), st.lists(st.sampled_from(["EVAL", "über", "_", "%", "ß"]), min_size=1).map(tuple)
    ),
    st.builds(Begins, st.just(("name",)), st.sampled_from(["EVAL_", "Ü", "eval", "日本 1", "%"])),
    st.builds(
        Within,
        st.just(("created_at",)),
        st.none() | st.integers(0, 9).map(lambda hours: START + timedelta(hours=hours)),
        st.none() | st.integers(0, 9).map(lambda hours: START + timedelta(hours=hours)),
        st.booleans(),
    ),
)


def holds(term: Term, job: ListedJob) -> bool:
    """What a term says of a job, in Python."""
    value: Any = getattr(job, term.field[0])
    match term:
        case OneOf(values=values):
            part = value[term.field[1]] if len(term.field) > 1 else value
            return str(part) in values
        case Contains(texts=texts):
            return any(text.lower() in value.lower() for text in texts)
        case Begins(text=text):
            return value.startswith(text)
        case Within(start=start, stop=stop, outside=outside):
            inside = (start is None or start <= value) and (stop is None or value < stop)
            return inside != outside


class TestPages:
    @given(
        terms=st.lists(fields, max_size=3),
        sort=st.sampled_from(["created_at", "-created_at", "updated_at", "-updated_at"]),
        page_size=st.integers(1, 13),
    )
    @MANY
    def test_the_union_of_the_pages_is_the_filtered_set(
        self, jobs: Jobs, terms: list[Term], sort: Sort, page_size: int
    ) -> None:
        whole, everything = jobs.page("nemo-v1", Listing(page_size=1000))
        wanted = [job for job in whole if all(holds(term, job) for term in terms)]
        wanted.sort(key=lambda job: (job.created_at, job.id), reverse=sort.startswith("-"))
        seen: list[str] = []
        page = 1
        while items := jobs.page("nemo-v1", Listing(tuple(terms), sort, page, page_size))[0]:
            seen += [job.id for job in items]
            page += 1
        assert seen == [job.id for job in wanted]
        assert jobs.page("nemo-v1", Listing(tuple(terms), sort, page, page_size)) == ([], len(wanted))
        assert everything == 30

    def test_a_job_that_comes_between_two_pages_moves_none_that_is_older(self, jobs: Jobs) -> None:
        first, total = jobs.page("nemo-v1", Listing(sort="created_at", page_size=20))
        added(jobs)
        second, later_total = jobs.page("nemo-v1", Listing(sort="created_at", page=2, page_size=20))
        ids = [job.id for job in (*first, *second)]
        assert len(set(ids)) == len(ids) == 31
        assert (total, later_total) == (30, 31)


class TestExact:
    def test_a_part_of_an_object_is_compared_by_its_value(self, jobs: Jobs) -> None:
        five, true = added(jobs, custom_fields={"k": 5}), added(jobs, custom_fields={"k": True})
        text, deep = added(jobs, custom_fields={"k": "true"}), added(jobs, custom_fields={"k": {"k": 5}})
        assert found(jobs, OneOf(("custom_fields", "k"), ("5",))) == {five.id}
        assert found(jobs, OneOf(("custom_fields", "k"), ("true",))) == {true.id, text.id}
        assert found(jobs, OneOf(("custom_fields", "k", "k"), ("5",))) == {deep.id}
        assert found(jobs, OneOf(("custom_fields", "none"), ("5",))) == set()

    @pytest.mark.parametrize("key", ["ü", "a.b", "$", "[0]", "0", "a b", "'", "{}", ",", "日本", "%s", "?", ":x"])
    def test_any_key_leads_to_its_value(self, jobs: Jobs, key: str) -> None:
        job = added(jobs, custom_fields={key: "Größe 😀", "other": "\x00"})
        assert found(jobs, OneOf(("custom_fields", key), ("Größe 😀",))) == {job.id}
        assert found(jobs, Contains(("custom_fields", key), ("größe",))) == {job.id}

    def test_no_value_at_all_is_found_by_nothing(self, jobs: Jobs) -> None:
        assert found(jobs, OneOf(("status",), ())) == set()
        assert len(found(jobs, OneOf(("status",), ("created",)))) == 30

    def test_the_time_in_an_object_is_compared_as_a_time(self, jobs: Jobs) -> None:
        request = {"target": {"created_at": "2025-03-18T10:00:00.000000"}}
        job = added(jobs, request=request, target="org/t")
        field: Field = ("target", "created_at")
        assert found(jobs, Within(field, datetime.fromisoformat("2025-03-18T10:00"))) == {job.id}
        assert found(jobs, Within(field, None, datetime.fromisoformat("2025-03-18T10:00"))) == set()


class TestContains:
    @pytest.mark.parametrize("text", ["100%", "a_b", "'", '"', "\\", "--", "x;", "[", "*"])
    def test_text_means_itself_whatever_sql_makes_of_it(self, jobs: Jobs, text: str) -> None:
        job = added(jobs, description=f"is {text} there")
        added(jobs, description="100 aXb")
        assert found(jobs, Contains(("description",), (text,))) == {job.id}

    @pytest.mark.parametrize(("kept", "asked"), [("TRAINING", "train"), ("größe", "GRÖ"), ("ÉTÉ", "été")])
    def test_case_makes_no_difference_in_any_alphabet(self, jobs: Jobs, kept: str, asked: str) -> None:
        job = added(jobs, description=kept, custom_fields={"d": kept})
        assert found(jobs, Contains(("description",), (asked,))) == {job.id}

    def test_an_object_is_searched_as_its_compact_json(self, jobs: Jobs) -> None:
        job = added(jobs, target="org/llama", request={"target": {"type": "model", "model": {"id": "Ünïcode"}}})
        assert found(jobs, Contains(("target",), ("ORG/Ll",))) == {job.id}
        assert found(jobs, Contains(("target",), ('"type":"model"',))) == {job.id}
        assert found(jobs, Contains(("target",), ("Ünï",))) == {job.id}
        assert found(jobs, Contains(("target", "model"), ("absent",))) == set()
        assert found(jobs, Contains(("target", "model", "id"), ("code",))) == {job.id}

    def test_a_job_without_a_name_goes_by_its_target_and_config(self, jobs: Jobs) -> None:
        job = added(jobs, target="space/training-model", config="space/qa")
        named = added(jobs, name="nightly", target="space/training-model", config="space/qa")
        assert job.id in found(jobs, Contains(("known_as",), ("training-m",)))
        assert job.id in found(jobs, Contains(("known_as",), ("QA",)))
        assert found(jobs, Contains(("known_as",), ("space",))) == set()
        assert named.id not in found(jobs, Contains(("known_as",), ("training-m",)))
        assert found(jobs, Contains(("known_as",), ("nightly",))) == {named.id}


def test_a_field_that_is_kept_nowhere_is_an_error(jobs: Jobs) -> None:
    with pytest.raises(KeyError):
        found(jobs, OneOf(("nonsense",), ("x",)))
    with pytest.raises(KeyError):
        found(jobs, OneOf(("name", "part"), ("x",)))


@pytest.mark.parametrize(
    "listing",
    [
        Listing(),
        Listing(sort="-updated_at"),
        Listing((Within(("created_at",), START),)),
        *(
            Listing((OneOf((name,), ("x",)),))
            for name in ("name", "status", "project", "target", "config", "namespace")
        ),
    ],
    ids=lambda listing: f"{[term.field for term in listing.terms]} {listing.sort}",
)
def test_a_list_over_all_faces_is_found_by_an_index(jobs: Jobs, engine: sa.Engine, listing: Listing) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("the plans are SQLite's")
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    jobs.page(None, listing)
    sa.event.remove(engine, "before_cursor_execute", note)
    with reading(engine) as connection:
        plans = [
            step[-1]
            for statement, parameters in asked
            if statement.startswith("SELECT")
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert any("INDEX jobs_" in step for step in plans)
    assert [step for step in plans if step.startswith("SCAN jobs") and "INDEX" not in step] == []


def test_a_list_over_all_faces_has_those_of_each(jobs: Jobs) -> None:
    faces = [jobs.add(new_job("same", face=face)).face for face in get_args(Face)]
    for listing in (
        Listing((OneOf(("name",), ("same",)),)),
        Listing(page_size=len(faces)),
        Listing(sort="-updated_at"),
    ):
        page, _ = jobs.page(None, listing)
        assert [job.face for job in page][: len(faces)] == faces[::-1]

"""Who may import whom: down only, and each library where it belongs."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RANK = {"core": 0, "store": 1, "tasks": 2, "flows": 3, "api": 4, "cli": 5}
HOMES = {
    "prefect": {"flows"},
    "duckdb": {"store"},
    "pyarrow": {"store"},
    "sqlalchemy": {"store"},
    "fastapi": {"api"},
    "starlette": {"api"},
    "aiohttp": {"tasks/endpoint.py"},
    "httpx_aiohttp": {"tasks/endpoint.py"},
    "uvloop": {"tasks/endpoint.py"},
    "huggingface_hub": {"tasks/hub.py"},
    "sacrebleu": {"tasks/metrics/bleu.py"},
    "pydantic_monty": {"tasks/sandbox/child.py"},
}
CORE_ONLY = ["templates.py", "bounded.py", "columns.py", "growing.py", "verdict.py", "endpoint.py", "retry.py"]
CORE_ONLY += ["slots.py", "guard.py", "route.py", "breaker.py", "reply.py"]
CORE_MAY_USE = {"pydantic", "pydantic_settings", "core"}


def sources() -> Iterator[Path]:
    for package in RANK:
        yield from (ROOT / package).rglob("*.py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    place = path.relative_to(ROOT)
    package = place.parts[0]
    for module in imports(path):
        top = module.split(".")[0]
        if top in RANK and top != package:
            assert RANK[top] < RANK[package], f"{place} imports upward or sideways: {module}"
        homes = HOMES.get(top, {package})
        assert package in homes or str(place) in homes, f"{place} imports {top}, which belongs in {homes}"


@pytest.mark.parametrize("path", sorted((ROOT / "core").glob("*.py")), ids=lambda path: path.name)
def test_core_knows_the_standard_library_and_pydantic_alone(path: Path) -> None:

    tops = {module.split(".")[0] for module in imports(path)}
    assert tops <= CORE_MAY_USE | sys.stdlib_module_names


@pytest.mark.parametrize("name", [*CORE_ONLY, "metrics", "sandbox"])
def test_what_works_on_values_sees_only_the_core(name: str) -> None:
    path = ROOT / "tasks" / name
    files = list(path.rglob("*.py")) if path.is_dir() else [path]
    assert files
    for file in files:
        assert {module.split(".")[0] for module in imports(file)}.isdisjoint({"store", "flows", "api", "cli"})
        neighbours = {module.split(".")[1] for module in imports(file) if module.startswith("tasks.")}
        assert neighbours.isdisjoint({"engine", "calls", "resolve", "generate", "judge", "aggregate"})


def test_faces_do_not_import_faces() -> None:
    faces = [folder.name for folder in (ROOT / "api").iterdir() if (folder / "__init__.py").exists()]
    assert "nemo" in faces
    for face in faces:
        for file in (ROOT / "api" / face).rglob("*.py"):
            others = {module.split(".")[1] for module in imports(file) if module.startswith("api.")} & set(faces)
            assert others <= {face}

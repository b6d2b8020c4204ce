"""Who may import whom: down only, and each library where it belongs."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RANK = {"core": 0, "store": 1, "tasks": 2, "flows": 3, "api": 4, "web": 5, "cli": 6}
ASSEMBLED = {("api/app.py", "web")}
"""Where the application is put together, which knows all of its doors."""

HOMES = {
    "prefect": {"flows"},
    "duckdb": {"store"},
    "pyarrow": {"store"},
    "sqlalchemy": {"store", "flows/worker"},
    "redis": {"store/bounds"},
    "fastapi": {"api", "web"},
    "starlette": {"api", "web"},
    "aiohttp": {"tasks/endpoint"},
    "uvloop": {"tasks/endpoint", "flows/serving.py"},
    "huggingface_hub": {"tasks/datasets"},
    "httpx2": {"tasks/datasets"},
    "httpcore2": {"tasks/datasets"},
    "jinja2": {"tasks/templates", "web"},
    "markdown_it": {"web/samples"},
    "re2": {"tasks"},
    "sacrebleu": {"tasks/metrics"},
    "numpy": {"tasks/metrics"},
    "pydantic_monty": {"tasks/sandbox"},
}
"""Where a library may be imported: in a package, or in one room of it."""

VALUES_ONLY = ["endpoint", "metrics", "sandbox", "templates"]
"""The rooms of tasks/ that are given what they need as values: they see neither the store nor the stages."""

CORE_MAY_USE = {"pydantic", "pydantic_core", "pydantic_settings", "core"}


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


def strays(place: Path, module: str) -> str | None:
    """Return what is wrong with an import, if anything is."""
    package, top = place.parts[0], module.split(".")[0]
    if (str(place), top) in ASSEMBLED:
        return None
    if top in RANK and top != package and RANK[top] >= RANK[package]:
        return f"{place} imports upward or sideways: {module}"
    homes = HOMES.get(top, {package})
    return None if homes & {package, "/".join(place.parts[:2])} else f"{place} imports {top}, which belongs in {homes}"


def test_a_module_imports_only_what_its_layer_may() -> None:
    found = [(path.relative_to(ROOT), module) for path in sources() for module in imports(path)]
    assert len(found) > len(RANK)
    assert [stray for each in found if (stray := strays(*each))] == []


def test_core_knows_the_standard_library_and_pydantic_alone() -> None:
    found = [(path.name, module) for path in (ROOT / "core").rglob("*.py") for module in imports(path)]
    known = CORE_MAY_USE | sys.stdlib_module_names
    assert [each for each in found if each[1].split(".")[0] not in known] == []


@pytest.mark.parametrize("room", VALUES_ONLY)
def test_a_room_that_works_on_values_sees_no_store_and_no_stage(room: str) -> None:
    files = list((ROOT / "tasks" / room).rglob("*.py"))
    stages = {path.stem for path in (ROOT / "tasks").glob("*.py")} | {"engine"}  # what those run on
    assert files
    assert stages
    for file in files:
        assert "store" not in {module.split(".")[0] for module in imports(file)}, file
        assert stages.isdisjoint(module.split(".")[1] for module in imports(file) if module.startswith("tasks.")), file


def test_faces_do_not_import_faces() -> None:
    faces = {schema.parent.name for schema in (ROOT / "api").glob("*/schema*")}
    assert "nemo" in faces
    for face in faces:
        for file in (ROOT / "api" / face).rglob("*.py"):
            others = {module.split(".")[1] for module in imports(file) if module.startswith("api.")} & faces
            assert others <= {face}

"""The routes of Nugen's benchmarks, those of its later generation included."""

from pathlib import PurePath
from typing import Annotated, Final

from fastapi import Form, HTTPException, UploadFile

from api.http.fields import PathText, Text
from api.http.state import CurrentState
from api.nugen.present import benchmarks as present
from api.nugen.routes.paths import PREFIX, EitherWay
from api.nugen.schema import responses as wire
from api.nugen.translate import to_questions
from core.errors import DatasetUnreadable, Unsupported

FormText = Annotated[Text | None, Form()]

UNNAMED: Final = "benchmark"

router = EitherWay(prefix=PREFIX, tags=["Nugen benchmarks"])


@router.post("/benchmarks/upload", include_in_schema=False)
@router.post("/benchmark/upload")
def upload_benchmark(
    file: UploadFile,
    state: CurrentState,
    name: FormText = None,
    benchmark_name: FormText = None,
    document_id: FormText = None,
    description: FormText = None,
) -> wire.BenchmarkUploaded:
    """Store the questions of a file, which is a JSON array, as a benchmark; without a name it is called as the file."""
    try:
        questions = to_questions(file.file.read())
    except DatasetUnreadable as error:
        raise HTTPException(400, error.message) from None
    filename = (file.filename or "").replace("\x00", "") or None
    added = state.benchmarks.add(
        questions,
        name=name or benchmark_name or PurePath(filename or UNNAMED).stem,
        description=description,
        documents=[document_id] if document_id else [],
        filename=filename,
    )
    return present.to_uploaded(added, questions)


@router.post("/benchmarks/create", include_in_schema=False)
@router.post("/benchmark/create", include_in_schema=False)
def create_benchmark() -> None:
    """Refuse: there are no documents here to make questions from."""
    raise Unsupported("Benchmarks cannot be made from documents here; upload the questions to /api/v3/benchmark/upload")


@router.get("/benchmarks/list", include_in_schema=False)
@router.get("/benchmark/list")
def list_benchmarks(state: CurrentState) -> wire.BenchmarkList:
    """List all benchmarks, the newest first."""
    return wire.BenchmarkList(benchmarks=[present.to_listed(each) for each in state.benchmarks.all()])


@router.get("/benchmarks/{benchmark_id}/status", include_in_schema=False)
@router.get("/benchmark/{benchmark_id}/status", include_in_schema=False)
@router.get("/benchmark/status/{benchmark_id}")
def get_status(benchmark_id: PathText, state: CurrentState) -> wire.BenchmarkStatus:
    """Return whether a benchmark can be used; one that is stored can."""
    return present.to_status(state.benchmarks.get(benchmark_id))


@router.get("/benchmarks/{benchmark_id}/data", include_in_schema=False)
@router.get("/benchmark/{benchmark_id}/data")
def get_data(benchmark_id: PathText, state: CurrentState) -> wire.BenchmarkData:
    """Return a benchmark with its questions."""
    return present.to_data(state.benchmarks.get(benchmark_id), state.benchmarks.questions(benchmark_id))


@router.delete("/benchmarks/{benchmark_id}", include_in_schema=False)
@router.delete("/benchmark/{benchmark_id}")
def delete_benchmark(benchmark_id: PathText, state: CurrentState) -> wire.BenchmarkDeleted:
    """Delete a benchmark; the evaluations that used it keep what they need of it."""
    state.benchmarks.delete(benchmark_id)
    return wire.BenchmarkDeleted(id=benchmark_id, benchmark_id=benchmark_id, message="Benchmark successfully deleted")

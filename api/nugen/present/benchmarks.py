"""From stored benchmarks to Nugen's words, each in both of the ways in which its clients spell them."""

from datetime import UTC
from typing import Any

from api.nugen.schema import responses as wire
from store.db.benchmarks import Benchmark


def to_status(benchmark: Benchmark) -> wire.BenchmarkStatus:
    """Return whether a benchmark can be used, which it can be from when it was made."""
    made = benchmark.created_at.replace(tzinfo=UTC)
    return wire.BenchmarkStatus(**_named(benchmark), start_time=made, end_time=made)


def to_listed(benchmark: Benchmark) -> wire.ListedBenchmark:
    """Return a benchmark as a list shows it."""
    return wire.ListedBenchmark(**_described(benchmark))


def to_uploaded(benchmark: Benchmark, questions: list[dict[str, Any]]) -> wire.BenchmarkUploaded:
    """Return a benchmark that was just uploaded."""
    return wire.BenchmarkUploaded(**_counted(benchmark), questions=questions)


def to_data(benchmark: Benchmark, questions: list[dict[str, Any]]) -> wire.BenchmarkData:
    """Return a benchmark with its questions."""
    origin = wire.Origin(name=benchmark.name, description=benchmark.description, original_filename=benchmark.filename)
    return wire.BenchmarkData(
        **_described(benchmark), questions=questions, document_ids=benchmark.documents, metadata=origin
    )


def _named(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "id": benchmark.id,
        "benchmark_id": benchmark.id,
        "name": benchmark.name,
        "benchmark_name": benchmark.name,
        "status": "READY",
    }


def _counted(benchmark: Benchmark) -> dict[str, Any]:
    return {**_named(benchmark), "num_questions": benchmark.num_questions, "n_samples": benchmark.num_questions}


def _described(benchmark: Benchmark) -> dict[str, Any]:
    made = benchmark.created_at.replace(tzinfo=UTC)
    return {**_counted(benchmark), "documents": benchmark.documents, "created_at": made, "updated_at": made}

"""The evaluations that a config may name in place of its tasks: each a module here that is called as its type."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from api.nemo.benchmarks.benchmark import Benchmark

NAMES: Final = tuple(sorted(module.name for module in iter_modules(__path__) if module.name != "benchmark"))

BENCHMARKS: Final[Mapping[str, Benchmark]] = {name: import_module(f"{__name__}.{name}").BENCHMARK for name in NAMES}

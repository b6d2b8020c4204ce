"""Which processes there are, and what they cost, as Linux counts it: CPU time and memory."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GONE = ["0"] * 50


def family(root: int) -> set[int]:
    """Return a process and all that it started."""
    found = {root}
    parents = _parents()
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, the oldest first.

    They are looked for by their parent: what `/proc` lists as the children of a thread goes to another thread's list
    when that one ends, and whoever reads meanwhile can miss it.
    """
    return sorted(child for child, parent in _parents().items() if parent == pid)


def is_alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and is not waited for does not."""
    return _stat(Path(f"/proc/{pid}"))[0] not in {"Z", _GONE[0]}


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have used until now, their ended children's included."""
    return sum(sum(map(int, _stat(Path(f"/proc/{pid}"))[11:15])) for pid in pids) / _TICKS


def family_cpu_s(roots: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU time that each named process and all that it started have used until now."""
    return {name: cpu_s(family(root)) for name, root in roots.items()}


def machine_cpu_s() -> float:
    """Return the CPU time that all processes of the machine have used until now, and what its host took from it."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def forget_peak(pid: int) -> None:
    """Have `peak_mb` count from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _parents() -> dict[int, int]:
    return {int(path.name): int(_stat(path)[1]) for path in Path("/proc").glob("[0-9]*")}


def _stat(process: Path) -> list[str]:
    """Return the fields of a process's `stat` from its state on; those of one that has ended are zeros."""
    try:
        return (process / "stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return _GONE

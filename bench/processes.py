"""What processes cost, as Linux counts it: CPU time and memory."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(roots: Iterable[int]) -> set[int]:
    """Return the processes and all that they started."""
    found = set(roots)
    parents = {int(path.name): _stat(path)[1] for path in Path("/proc").glob("[0-9]*")}
    while more := {pid for pid, parent in parents.items() if int(parent) in found} - found:
        found |= more
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have used until now, their ended children's included."""
    return sum(sum(map(int, _stat(Path(f"/proc/{pid}"))[11:15])) for pid in pids) / _TICKS


def idle_rate(pids: Iterable[int], seconds: float) -> float:
    """Watch processes that have nothing to do; return the CPU seconds they use a second."""
    pids = list(pids)
    before = cpu_s(pids)
    time.sleep(seconds)
    return (cpu_s(pids) - before) / seconds


def forget_peak(pid: int) -> None:
    """Have `peak_mb` count from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _stat(process: Path) -> list[str]:
    """Return the fields of a process's `stat` from its state on; those of one that has ended are zeros."""
    try:
        return (process / "stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 50

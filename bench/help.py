"""Processor time of `--help` of every command, start of the interpreter included.

    python -m bench.help

Each is a fresh process, `REPEATS` times in turn: user and system time, which other processes on
the machine change little. An error of usage takes as long, for it imports the same.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from tools.cli_reference import PROGRAMS, commands

REPEATS = 5
TARGET = 0.5
"""Seconds that no command's help should take."""


def cpu_seconds(*words: str) -> float:
    """Return the user and system seconds of a command line, which must succeed."""
    code = f"from {words[0]}.cli.main import main; main(prog_name={words[0]!r})"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, *words[1:]], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run the benchmark."""
    paths = [context.command_path for one in PROGRAMS.items() for context in commands(*one)]
    times: dict[str, list[float]] = {path: [] for path in paths}
    for _ in range(REPEATS):
        for path in paths:
            times[path].append(cpu_seconds(*path.split(), "--help"))
    print(f"  processor seconds, median of {REPEATS} (lowest to highest); target < {TARGET}")
    for path, taken in times.items():
        median = statistics.median(taken)
        print(f"  {path + ' --help':32} {median:.2f}  ({min(taken):.2f} to {max(taken):.2f})")
    slowest = max(paths, key=lambda path: statistics.median(times[path]))
    print(f"  slowest: {slowest}")


if __name__ == "__main__":
    main()

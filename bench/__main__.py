"""Run all benchmarks, or those named: `python -m bench build bootstrap`."""

from __future__ import annotations

import sys

from bench import answers, bootstrap, build, embed, help, info, kd, memory, patients

BENCHMARKS = {
    "answers": answers.main,
    "bootstrap": bootstrap.main,
    "build": build.main,
    "embed": embed.main,
    "help": help.main,
    "info": info.main,
    "kd": kd.main,
    "memory": memory.main,
    "patients": patients.main,
}


def run(names: list[str]) -> None:
    """Run the named benchmarks in order; all of them where none is named."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise SystemExit(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        BENCHMARKS[name]()


if __name__ == "__main__":
    run(sys.argv[1:])

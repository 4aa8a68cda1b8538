"""Run as a module: commands one after the other, each in a fork of a process that has torch loaded.

Reads a line of JSON for each from standard input: ``words``, ``folder`` to run in, ``environment``
to add, ``output`` (a file for what is printed). Answers with its exit code, or -N for signal N.
"""

import importlib
import json
import os
import sys
from typing import Any

import sitecustomize

PROGRAMS = {"wsistore": "wsistore.cli.main", "distill": "distill.cli.main"}
NEEDED = (
    "wsistore.build.builder", "wsistore.cli.split", "distill.cli.train", "distill.cli.teach",
    "distill.cli.evaluate", "distill.cli.report",
)  # fmt: skip


def begin(request: dict[str, Any]) -> None:
    """Become a command: a group of processes of its own, with its own output."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ["PWD"] = request["folder"]
    os.environ.update(request["environment"])
    for handle, path, flags in ((0, os.devnull, os.O_RDONLY), (1, request["output"], os.O_WRONLY)):
        opened = os.open(path, flags | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, handle)
        os.close(opened)
    os.dup2(1, 2)
    sitecustomize.watch()  # type: ignore[attr-defined]
    sys.argv = request["words"]
    importlib.import_module(PROGRAMS[sys.argv[0]]).main()


def serve() -> None:
    """Answer requests until there are no more."""
    for name in NEEDED:
        importlib.import_module(name)
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            begin(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()

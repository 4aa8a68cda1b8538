"""Run as a module: commands one after the other, each in a fork that has its modules loaded.

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
LOADED = {
    "wsistore build": ["wsistore.build"],
    "wsistore split": ["wsistore.split", "wsistore.store"],
    "wsistore label": ["wsistore.split", "wsistore.store"],
    "wsistore sample": ["wsistore.synthetic"],
    "wsistore preview": ["wsistore.preview", "wsistore.store"],
    "distill train": ["distill.training"],
    "distill teach": ["distill.kd"],
    "distill evaluate": ["distill.evaluation"],
    "distill report": ["distill.report"],
    "distill explain": ["distill.explain"],
    "distill predict": ["distill.predict"],
    "distill export": ["distill.export", "onnxscript"],
    "distill cost": ["distill.cost"],
    "distill experiment": ["distill.data"],
}
"""Command → packages of which all that they hand on is loaded when it first comes, before the fork,
so that each later one has it. Not onnxruntime: it starts a thread, which a fork does not have and
waits for at its end."""


def load(package: str) -> None:
    """Import a package, and if it is one of ours, all that it hands on: it does so when asked."""
    found = importlib.import_module(package)
    if package.split(".")[0] in PROGRAMS:
        for name in found.__all__:
            getattr(found, name)


def begin(request: dict[str, Any]) -> None:
    """Become a command: a group of processes of its own, with its own output."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ["PWD"] = request["folder"]
    os.environ.update(request["environment"])
    os.environ["RENAMES_GROUP"] = str(os.getpid())
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
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        for package in LOADED[" ".join(request["words"][:2])]:
            load(package)
        child = os.fork()
        if child == 0:
            begin(request)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()

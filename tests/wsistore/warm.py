"""Imported by the server that test processes are forked off: they have what a build compiles."""

from importlib import import_module

from wsistore.ingest import load_compiled

for _name in ("wsistore.cli", "wsistore.split", "wsistore.store", "wsistore.verify"):
    import_module(_name)
load_compiled()

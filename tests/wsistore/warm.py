"""Imported by the server that test processes are forked off: they have what a build compiles."""

from importlib import import_module

from wsistore.build.ingest import load_compiled

for _name in ("wsistore.cli.main", "wsistore.split", "wsistore.store.store", "wsistore.verify"):
    import_module(_name)
load_compiled()

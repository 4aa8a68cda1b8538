"""Senseless metadata: always a fault or nothing, never a crash."""

import json
import math
import random
import shutil
from pathlib import Path

from wsistore.verify import verify


def test_mangled_metadata_is_a_fault_and_never_a_crash(whole: Path, tmp_path: Path) -> None:
    """Put senseless values at random places of random metadata of a small slide."""
    random.seed(5)
    senseless = [None, True, -1, 0, 1e308, 10**30, math.inf, "", "☃", [], {}, [[]], 2.5]
    store = tmp_path / "s"
    shutil.copytree(whole, store)
    shutil.rmtree(store / "slides/a")
    shutil.rmtree(store / "slides/c")
    files = sorted(store.rglob("zarr.json"))
    for _ in range(150):
        file = random.choice(files)
        text = file.read_text()
        document = json.loads(text)
        node, steps = document, random.randint(1, 8)
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = random.choice(keys)
            steps -= 1
            if steps == 0 or not isinstance(node[key], dict | list) or not node[key]:
                node[key] = random.choice(senseless)
                break
            node = node[key]
        file.write_text(json.dumps(document))
        for fault in verify(store, workers=0).faults:
            assert (store / fault.file).exists() or fault.what.startswith("is missing")
        file.write_text(text)

"""Teach a low-resolution student network what a high-resolution teacher knows."""

import os

import lazy_loader

# Before torch loads OpenMP: its threads wait by spinning. On a machine that also does something
# else, a spinning thread takes the core that the thread it waits for needs: ten times slower was
# measured with one other process on two cores. A short spin costs little on an idle machine.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

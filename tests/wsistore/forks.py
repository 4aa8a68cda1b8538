"""Test processes that begin at once: forked off a server, of which there is one for all tests."""

import multiprocessing
from multiprocessing.context import ForkServerContext

_LOADED = [
    "tests.wsistore.warm",
    "tests.wsistore.behavior.test_killed",
    "tests.wsistore.split.test_publication",
]


def warm() -> ForkServerContext:
    """Return how to start processes that have imported and compiled what these tests need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    return context

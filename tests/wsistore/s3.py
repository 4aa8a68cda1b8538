"""A server that speaks S3, on the loopback interface, in a process of its own."""

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import s3fs

from tests.events import wait_until

BUCKET = "slides"


@contextmanager
def server() -> Iterator[dict[str, str]]:
    """Yield the storage options of a running server that has one empty bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    options = {"key": "AKIALOOPBACK", "secret": "hush-hush", "endpoint_url": url}

    def answers() -> bool:
        assert process.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(f"{url}/moto-api/").close()
        except OSError:
            return False
        return True

    try:
        wait_until(answers, "the server answers")
        s3fs.S3FileSystem(**options).mkdir(BUCKET)
        yield options
    finally:
        process.kill()
        process.wait()

"""Build the site of docs/ into site/, strictly, and require that it needs no network.

Zensical reports broken links; what griffe says of docstrings ends the build here too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "site"
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Elements that make a browser fetch something, and the attribute that says what."""


class _Loads(HTMLParser):
    """Collects what a page makes a browser fetch, but for links to follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") in ("next", "prev", "canonical"):
            return
        self.found.append(values.get(_LOADED.get(tag, "")) or "")


def fetched(page: str) -> list[str]:
    """Return the addresses in the network that a page of HTML makes a browser fetch."""
    parser = _Loads()
    parser.feed(page)
    return [address for address in parser.found if re.match(r"(https?:)?//", address)]


def external_resources(site: Path) -> Iterator[str]:
    """Yield each page or style sheet of a site that fetches something, and what."""
    for path in sorted(site.rglob("*.html")):
        for address in fetched(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)}: {address}"
    for path in sorted(site.rglob("*.css")):
        found = re.findall(
            r"url\(\s*[\"']?((?:https?:)?//[^)\"']+)", path.read_text(encoding="utf-8")
        )
        yield from (f"{path.relative_to(site)}: {address}" for address in found)


def main() -> int:
    """Build; return 0, or 1 after a warning of any kind."""
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    built = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stdout.write(built.stdout)
    if built.returncode:
        return 1
    faults = [line for line in built.stdout.splitlines() if line.startswith("griffe:")]
    if faults:
        sys.stderr.write(f"{len(faults)} docstrings cannot be read: see griffe's lines above\n")
    outside = list(external_resources(SITE))
    sys.stderr.writelines(f"{line} is fetched from the network\n" for line in outside)
    return 1 if faults or outside else 0


if __name__ == "__main__":
    sys.exit(main())

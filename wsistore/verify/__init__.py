"""Is a store whole? Everything in it is read and held against docs/store-format.md."""

from wsistore.verify.findings import Check, Fault, Report
from wsistore.verify.run import verify

__all__ = ["Check", "Fault", "Report", "verify"]

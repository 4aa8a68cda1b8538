"""What a deferral may be asked for; plain data that loads nothing."""

POINTS = 101
"""Shares of crops deferred that a curve is computed at, evenly spaced, both ends among them."""

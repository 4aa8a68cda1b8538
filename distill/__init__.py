"""Teach a low-resolution student network what a high-resolution teacher knows."""

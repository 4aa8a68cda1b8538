"""Regions drawn in QuPath, ASAP, Aperio ImageScope or HALO, and the crops they ask for."""

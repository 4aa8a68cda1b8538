"""Regions drawn by people: QuPath, ASAP and Aperio ImageScope files, and the crops they ask for."""

"""Errors a user can meet. Each message is one sentence that names the file and what to change."""

import wsistore


class DistillError(Exception):
    """Base of every error that distill raises on purpose; the CLI exits 1 on it.

    Its message is `wsistore.shortened`, whatever it quotes.
    """

    def __str__(self) -> str:
        return wsistore.shortened(super().__str__(), wsistore.WsistoreError.longest)


class UsageError(DistillError):
    """The command itself is wrong (an option, a folder in the way); the CLI exits 2."""


class RunError(DistillError):
    """A run folder is missing, damaged, or does not fit the network asked for."""


class SubsetError(DistillError):
    """A split, subset or level does not hold what the command needs."""


class TrainingError(DistillError):
    """Training cannot go on, for example because the loss is no longer a finite number."""


class TargetsError(DistillError):
    """Teacher targets are missing, damaged, or do not fit what is to be trained with them."""


class EmbeddingsError(DistillError):
    """Stored vectors of tiles are missing, damaged, or not of what is asked about."""


class ExportError(DistillError):
    """A network cannot be exported so that it computes what the run's network does."""

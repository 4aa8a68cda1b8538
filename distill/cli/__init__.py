"""The ``distill`` command line: a module a command, and what commands share."""

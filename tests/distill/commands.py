"""`distill` in this process."""

from click.testing import CliRunner, Result

from distill.cli import main


def distill(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> Result:
    """`distill …`, which must succeed."""
    result = distill(*arguments)
    assert result.exit_code == 0, result.output
    return result

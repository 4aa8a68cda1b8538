"""The command line. Exit codes: 0 done, 1 an input failed, 2 usage, 130 interrupted."""

from __future__ import annotations

import click

import wsistore
from distill.errors import DistillError, UsageError
from distill.evaluate_command import evaluate
from distill.experiment.command import experiment
from distill.teach_command import command as teach
from distill.train_command import train


class _Group(click.Group):
    """Turns the errors that a user can meet into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (UsageError, wsistore.UsageError) as error:
            raise _Misuse(str(error)) from error
        except (DistillError, wsistore.WsistoreError) as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(130) from None


class _Misuse(click.ClickException):
    exit_code = 2


@click.group(cls=_Group)
@click.version_option(package_name="resolution-distillation")
def main() -> None:
    """Teach a low-resolution student what a high-resolution teacher knows."""


main.add_command(train)
main.add_command(evaluate)
main.add_command(teach)
main.add_command(experiment)


if __name__ == "__main__":
    main()

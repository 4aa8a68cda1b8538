"""The command line answers a question for help at once, and every command it names is there."""

import subprocess
import sys

import click

from distill.cli.main import COMMANDS, main


def test_every_command_is_where_it_is_said_to_be() -> None:
    context = click.Context(main)
    assert main.list_commands(context) == sorted(COMMANDS)
    for name in COMMANDS:
        found = main.get_command(context, name)
        assert isinstance(found, click.Command)
        assert (found.help or "").strip(), name
    assert main.get_command(context, "predicte") is None


def test_help_waits_for_no_torch() -> None:
    code = (
        "import sys\n"
        "from distill.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "raise SystemExit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout

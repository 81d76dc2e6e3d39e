"""`digitflow completion`: what a shell needs to complete commands, options and files."""

import click
from click.shell_completion import get_completion_class

from flows.cli.help_text import CONTEXT

NAME = "digitflow"
VARIABLE = "_DIGITFLOW_COMPLETE"  # by which a shell asks for completions
SHELLS = ("bash", "zsh", "fish")


@click.command(
    context_settings=CONTEXT,
    epilog='For bash, put this line into ~/.bashrc: eval "$(digitflow completion bash)"',
)
@click.argument("shell", type=click.Choice(SHELLS), metavar="|".join(SHELLS))
def completion(shell: str) -> None:
    """Print what a shell needs to complete commands, options and files."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - one of click's own
    click.echo(kind(completion, {}, NAME, VARIABLE).source(), nl=False)

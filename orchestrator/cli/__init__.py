"""The command line: parse, call the one object, show. No decision is taken here."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import accounts, audience, outbox, programme, show, start, value
from orchestrator.cli.asking import Asked
from orchestrator.errors import PeopleError

app = typer.Typer(
    name="orchestrator",
    help="Turn happy customers into advocates, and say what that was worth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for room in (start, audience, programme, outbox, accounts, value):
    room.register(app)


@app.callback()
def _brand(
    ctx: typer.Context,
    brand: Annotated[Path, typer.Option(help="The brand's folder, with brand.yaml.")] = Path(),
    acting: Annotated[str, typer.Option("--as", help="The colleague you act as.")] = "",
) -> None:
    """Say for which brand, and as whom."""
    ctx.obj = Asked(brand, acting)


def main() -> None:
    """Run a command; end with the contract's exit code and one clear sentence."""
    as_json = "--json" in sys.argv
    try:
        app()
    except PeopleError as error:
        show.refusal(error, as_json)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone, e.g. `| head`
        sys.exit(0)
    except Exception as error:
        traceback.print_exc()
        print(f"This is our fault, not yours ({type(error).__name__}); nothing was lost.", file=sys.stderr)
        sys.exit(1)

"""The command line: parse, call the one object, show. No decision is taken here."""

import errno
import io
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import accounts, audience, outbox, programme, rehearse, show, start, stop, value, worker
from orchestrator.cli.asking import Asked
from orchestrator.errors import CheckError, NotAllowedError, OutsideError, PeopleError

_Misuse = typer.BadParameter.__bases__[
    0
]  # a word on the command line that is wrong; Typer exports no name of it
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})

app = typer.Typer(
    name="orchestrator",
    help="Turn happy customers into advocates, and say what that was worth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for room in (start, rehearse, audience, programme, outbox, stop, worker, accounts, value):
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name this terminal cannot spell is no error
    try:
        code = app(prog_name=app.info.name, standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # Typer exits by itself in this case only
        code = 0  # the reader has gone, e.g. `| head`
    except Exception as error:
        code = _refuse(error)
    _let_go()
    sys.exit(code)


def _refuse(error: Exception) -> int:
    """Say what went wrong, and return the exit code for it."""
    told = _for_people(error)
    if told is None:
        traceback.print_exc()
        print(f"This is our fault, not yours ({type(error).__name__}); nothing was lost.", file=sys.stderr)
        return 1
    if str(told):
        show.refusal(told, "--json" in sys.argv)
    return told.exit_code


def _for_people(error: Exception) -> PeopleError | None:
    """Put an error as one that people can put right; None where only we can."""
    if isinstance(error, PeopleError):
        return error
    if isinstance(error, typer.Abort):
        return NotAllowedError("Nobody answered, so nothing was done.")
    if isinstance(error, _Misuse):
        return CheckError(_misuse(error))
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        where = f" ({error.filename})" if error.filename else ""
        return OutsideError(f"Not all could be written{where}: {error.strerror}. Make room and run it again.")
    return None


def _misuse(error: Exception) -> str:
    """Say in one line what is wrong with the command; "" where its help was shown instead."""
    said, context = error.format_message().strip(), getattr(error, "ctx", None)  # type: ignore[attr-defined]
    return f"{said} See: {context.command_path} --help" if said and context else said


def _let_go() -> None:
    """Let what stdout does not take go, or Python would fail over it once more when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

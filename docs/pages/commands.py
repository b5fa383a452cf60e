"""The command line as it is built -> the page of commands."""

from collections.abc import Iterator
from typing import Any

import typer

from docs.pages.markdown import code, page, table
from orchestrator.cli import app
from orchestrator.errors import CheckError, ConflictError, NotAllowedError, OutsideError

_INTRO = """
`orchestrator [--brand DIR] [--as NAME] COMMAND`. DIR is the brand's folder, the current one by default.
Every command acts as the colleague named by `--as`, else as the holder of `ORCHESTRATOR_TOKEN`, else as the
owner of the folder.

With `--json` a command writes one JSON document to stdout and everything meant for people to stderr. An
ITEM is `ID@REV`, as `plan`, `preview` and `outbox list` print it.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name, in the order of the help."""
    yield from _walk("", typer.main.get_command(app))


def _walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        full = f"{prefix} {name}".strip()
        is_group = hasattr(command, "commands")
        if not is_group or command.invoke_without_command:
            yield full, command
        if is_group:
            yield from _walk(full, command)


def write() -> str:
    """Write the page."""
    general = "## Before the command\n\n" + _table(typer.main.get_command(app))
    return page("Commands", _INTRO, _exits(), general, *(_section(*each) for each in commands()))


def _exits() -> str:
    rows = [("0", "Done."), ("1", "Our fault: a bug. Nothing was lost.")]
    errors = (CheckError, NotAllowedError, ConflictError, OutsideError)
    rows += [(str(each.exit_code), f"{each.__doc__} ([{each.__name__}](errors.md))") for each in errors]
    rows[-1] = (rows[-1][0], rows[-1][1] + " Also: items are left held, uncertain or failed, and are named.")
    return "## Exit codes\n\n" + table(("Code", "Means"), rows)


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    shown = " ".join([f"orchestrator {name}", *map(_usage, arguments), "[OPTIONS]"])
    parts = [f"## {name}", str(command.help).strip(), code(shown), _table(command)]
    return "\n\n".join(part for part in parts if part)


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name.rstrip("_").upper()) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _table(command: Any) -> str:
    rows = [_row(each) for each in command.params if each.name != "help"]
    return table(("Name", "Meaning", "Default"), rows) if rows else ""


def _row(parameter: Any) -> tuple[str, str, str]:
    is_argument = parameter.param_type_name == "argument"
    name = _usage(parameter) if is_argument else ", ".join(sorted(parameter.opts, key=len))
    return code(name), parameter.help or "", _default(parameter)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "**required**"
    if parameter.default in (None, "", False, ()):
        return ""
    return code(parameter.default)

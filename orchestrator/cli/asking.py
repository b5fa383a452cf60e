"""What every command shares: which brand, who acts, and how to say --json."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from orchestrator.app import Orchestrator
from orchestrator.app.telling import telling
from orchestrator.cli.show import Output
from orchestrator.errors import OutsideError, PeopleError
from orchestrator.notices import Telling, Told

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


@dataclass(frozen=True)
class Asked:
    """What was said before the command's name."""

    folder: Path
    acting: str


def opened(ctx: typer.Context) -> Orchestrator:
    """Open the brand the person named, acting as they said, or as their token says."""
    asked: Asked = ctx.obj
    token = "" if asked.acting else os.environ.get("ORCHESTRATOR_TOKEN", "")
    app = ctx.with_resource(Orchestrator(asked.folder, acting=asked.acting, token=token))
    tell(app, Telling.watch)
    return app


def tell(app: Orchestrator, how: Callable[[Telling], Told]) -> None:
    """Tell colleagues what waits for them, where a way to do so is set; that stops no command."""
    try:
        if any((app.brand.notice_ways.mail, app.brand.notice_ways.webhook)):
            how(telling(app))
    except PeopleError as error:
        print(f"Nobody could be told what waits for them: {error}", file=sys.stderr)


def output(as_json: bool) -> Output:
    """Return this command's voice."""
    return Output(as_json)


def unfinished(sentence: str) -> NoReturn:
    """End with the exit code for work that the world outside left unfinished; the result was given before."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(OutsideError.exit_code)

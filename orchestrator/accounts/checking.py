"""Settings as typed -> a connector's own; a platform's refusal -> a sentence without secrets."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import BaseModel, SecretStr, ValidationError

from connectors.base import Connector, ConnectorError, UnauthorizedError
from orchestrator import documents
from orchestrator.errors import CheckError, OutsideError, Problem


def checked(kind: type[Connector], settings: Mapping[str, str]) -> BaseModel:
    """Read settings; raises `CheckError` naming each that is wrong or unknown, and repeating no value."""
    problems: list[Problem] = []
    unknown = set(settings) - set(kind.Settings.model_fields)
    for name in sorted(unknown):
        hint = documents.suggest(name, kind.Settings.model_fields)
        problems.append(Problem(message=f"{kind.name} has no setting {name!r}{hint}"))
    try:
        checked = kind.Settings.model_validate(dict(settings))
    except ValidationError as error:
        # Only the field and the rule: pydantic's own text would repeat the value, which may be a token.
        found = error.errors(include_input=False, include_context=False, include_url=False)
        problems += [Problem(message=f"{kind.name} setting {_where(e['loc'])}: {e['msg']}") for e in found]
    if problems:
        raise CheckError.of(problems)
    return checked


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(all)"


@contextmanager
def let_in(name: str, settings: BaseModel) -> Iterator[None]:
    """Turn a platform's refusal into a sentence that names the account and what to do, without secrets."""
    try:
        yield
    except UnauthorizedError as error:
        reason, advice = str(error), "make a new token or password there and connect again"
    except ConnectorError as error:
        reason, advice = str(error), "nothing was changed; look at the address and run again later"
    else:
        return
    raise OutsideError(f"Account {name!r} could not be used: {_hidden(reason, settings)}; {advice}.")


def _hidden(text: str, settings: BaseModel) -> str:
    """Blot out secrets, should a platform's answer repeat one."""
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        secret = value.get_secret_value() if isinstance(value, SecretStr) else ""
        text = text.replace(secret, "***") if secret else text
    return text.rstrip(".")

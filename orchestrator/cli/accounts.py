"""Commands about logins and colleagues: connect, disconnect, accounts, team."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console

from orchestrator.accounts import CONNECTED, Account
from orchestrator.app import Orchestrator, connecting, telling
from orchestrator.app.meters import Meter, meters
from orchestrator.cli.asking import Json, opened, output
from orchestrator.cli.consent import Way, consent
from orchestrator.cli.show import table
from orchestrator.documents import suggest
from orchestrator.errors import CheckError

_team = typer.Typer(help="Who works for the brand here, and what they may do.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(connect)
    app.command()(disconnect)
    app.command()(accounts)
    app.command("rotate-keys")(rotate_keys)
    app.add_typer(_team, name="team")


def connect(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(help="A channel such as mastodon or bluesky, or: shop.")],
    name: Annotated[str, typer.Argument(help="What you call this account or shop.")],
    kind: Annotated[str, typer.Option(help="For a shop: shopify, woocommerce, stripe or own.")] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, key=value; what you leave out is asked for, secrets unseen."),
    ] = None,
    from_: Annotated[
        str, typer.Option("--from", help="A JSON file with the settings; - reads them from stdin.")
    ] = "",
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token made by hand, not for consent in the browser.")
    ] = False,
    by_consent: Annotated[
        bool, typer.Option("--consent", help="Consent in the browser, where a password would do as well.")
    ] = False,
    paste: Annotated[
        bool, typer.Option("--paste", help="Consent on another machine, and paste the address it ended at.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="Where the browser comes back to on this machine; 0: any free port.")
    ] = 0,
    redirect: Annotated[
        str, typer.Option(help="With --paste: the redirect address that the platform knows of your app.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Connect a login, by consent or by its token, or a shop's secret; connecting again renews it."""
    app, out = opened(ctx), output(as_json)
    given = _given(set_ or [], from_)
    if channel == "shop":
        secret = given.get("secret") or _ask("secret", hidden=True, as_json=as_json)
        app.connect_shop(name, kind, secret)
        address = f"{app.brand.public_url}/api/orders/{name}"
        out.give({"shop": name, "kind": kind, "webhook": address}, lambda console: console.print(
            f"Shop {name} is connected. Let it send its orders to {address}", markup=False))  # fmt: skip
        return
    account = (
        consent(app, channel, name, _before(app, channel, given, as_json), Way(paste, port, redirect))
        if not token and _consents(app, channel, given, by_consent or paste or bool(redirect or port))
        else app.connect(channel, name, _complete(app, channel, given, as_json))
    )
    out.give(
        {"account": account.name, "channel": account.channel, "handle": account.handle},
        lambda console: console.print(f"Connected {account.name} as {account.handle}.", markup=False),
    )


def _consents(app: Orchestrator, channel: str, given: dict[str, str], asked: bool) -> bool:
    """Tell whether to walk through consent: nobody gave a token, and there is somebody to walk."""
    token = app.settings_of(channel).get("token")
    if not asked and (token is None or not token.is_required() or not sys.stdin.isatty()):
        return False
    return asked or not connecting.by_hand(app, channel, given)


def _before(app: Orchestrator, channel: str, given: dict[str, str], as_json: bool) -> dict[str, str]:
    """Ask for what is needed before a person consents."""
    known = {each.name: each for each in connecting.fields(app, channel)}
    _refuse_strange(channel, given, [*known, *app.settings_of(channel), "client_id", "client_secret"])
    for name, field in known.items():
        if name not in given and (field.required or name == "client_secret"):
            given[name] = _ask(name, hidden=field.secret, as_json=as_json, empty=not field.required)
    return {name: value for name, value in given.items() if value}


def _refuse_strange(channel: str, given: dict[str, str], known: list[str]) -> None:
    if strange := [name for name in given if name not in known]:
        raise CheckError(*(f"{channel} has no setting {name!r}{suggest(name, known)}" for name in strange))


def _given(pairs: list[str], file: str) -> dict[str, str]:
    given: dict[str, str] = {}
    if file:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
            given.update({str(k): str(v) for k, v in json.loads(text).items()})
        except (OSError, ValueError, AttributeError) as error:
            raise CheckError(f"--from {file}: is no JSON object of settings ({error})") from error
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise CheckError(f"--set {pair!r} is not key=value")
        given[key.strip()] = value
    return given


def _complete(app: Orchestrator, channel: str, given: dict[str, str], as_json: bool) -> dict[str, str]:
    """Ask for the settings nobody gave; those with a default are left to it."""
    known = app.settings_of(channel)
    _refuse_strange(channel, given, list(known))
    for name, info in known.items():
        if name not in given and connecting.asked(info):
            given[name] = _ask(name, hidden=_is_secret(info.annotation), as_json=as_json)
    return given


def _is_secret(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, SecretStr)


def _ask(name: str, hidden: bool, as_json: bool, empty: bool = False) -> str:
    if as_json or not sys.stdin.isatty():
        raise CheckError(f"the setting {name!r} is missing: give it with --set {name}=... or --from FILE")
    default = "" if empty else None
    return str(typer.prompt(name, default, hide_input=hidden, show_default=False, err=True))


def rotate_keys(ctx: typer.Context, as_json: Json = False) -> None:
    """Seal every secret with a new key; stopped half-way, run it again. Links stay valid."""
    app, out = opened(ctx), output(as_json)
    done = connecting.rotate(app)
    goes_on = " An earlier turn was finished." if done.resumed else ""
    out.give(
        {"sealed": done.sealed, "resumed": done.resumed},
        lambda console: console.print(f"{done.sealed} secrets are sealed anew.{goes_on}", markup=False),
    )


def disconnect(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The account or shop.")],
    as_json: Json = False,
) -> None:
    """Forget a login and its secrets, and what is queued for it waits; or a shop and its secret."""
    app, out = opened(ctx), output(as_json)
    app.disconnect(name)
    out.give({"account": name}, lambda console: console.print(f"{name} is disconnected.", markup=False))


def accounts(ctx: typer.Context, as_json: Json = False) -> None:
    """List the logins and shops with their health, when each may send next, and what its posts have cost."""
    app, out = opened(ctx), output(as_json)
    logins, shops = app.logins(), app.shops()
    metered = {each.account: each for each in app.look(meters, app.brand, app.now())}
    data = {
        "accounts": [_account(each, metered[each.name]) for each in logins],
        "shops": [{"name": name, "kind": kind} for name, kind in shops],
    }
    out.give(data, lambda console: _tell(console, data))


def _account(login: Account, meter: Meter) -> dict[str, Any]:
    shown = ["name", "channel", "handle", "owner", "status", "reason", "checked_at"]
    shown += ["token_until", "ends_at", "renew_error"]
    return {name: getattr(login, name) for name in shown} | {
        "next_at": meter.next_at,
        "micro_usd_used": meter.used,
        "micro_usd_budget": meter.budget,
        "money": meter.money,
    }


def _tell(console: Console, data: dict[str, list[dict[str, Any]]]) -> None:
    if not data["accounts"] and not data["shops"]:
        console.print("No account is connected yet; connect one with: orchestrator connect mastodon NAME")
        return
    rows = table("account", "channel", "handle", "health", "may send", "spent this month")
    for each in data["accounts"]:
        health = each["status"] if not each["reason"] else f"{each['status']}: {each['reason']}"
        if each["ends_at"] and each["status"] == CONNECTED:
            health += f" until {each['ends_at']:%Y-%m-%d}, then connect it again"
        if each["renew_error"] and each["status"] == CONNECTED:
            health += f"; could not be renewed yet: {each['renew_error']}"
        send = f"from {each['next_at']:%Y-%m-%d %H:%M:%S} UTC" if each["next_at"] else "now"
        rows.add_row(each["name"], each["channel"], each["handle"], health, send, each["money"])
    for shop in data["shops"]:
        rows.add_row(shop["name"], f"shop ({shop['kind']})", "", "", "", "")
    console.print(rows)


@_team.command("add")
def team_add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The colleague's name.")],
    role: Annotated[str, typer.Option(help="admin, approver, editor or viewer.")] = "editor",
    email: Annotated[str, typer.Option(help="Where notices go.")] = "",
    as_json: Json = False,
) -> None:
    """Add a colleague; their token is shown this once."""
    app, out = opened(ctx), output(as_json)
    colleague, token = app.add_colleague(name, role, email)
    data = {"name": colleague.name, "role": colleague.role, "token": token}
    out.give(data, lambda console: console.print(
        f"{name} is {role} here. Their token, shown this once: {token}", markup=False))  # fmt: skip


@_team.command("email")
def team_email(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The colleague's name.")],
    address: Annotated[str, typer.Argument(help="Where notices go; leave it out for none.")] = "",
    as_json: Json = False,
) -> None:
    """Give a colleague another e-mail address for notices."""
    app, out = opened(ctx), output(as_json)
    telling.address(app, name, address)
    said = f"Notices for {name} go to {address}." if address else f"{name} has no address now."
    out.give({"name": name, "email": address}, lambda console: console.print(said, markup=False))


@_team.command("list")
def team_list(ctx: typer.Context, as_json: Json = False) -> None:
    """List colleagues and their roles."""
    app, out = opened(ctx), output(as_json)
    people = [{"name": c.name, "role": c.role, "email": c.email} for c in app.colleagues()]

    def tell(console: Console) -> None:
        rows = table("colleague", "role", "email")
        for each in people:
            rows.add_row(each["name"], each["role"], each["email"])
        console.print(rows)

    out.give({"team": people}, tell)

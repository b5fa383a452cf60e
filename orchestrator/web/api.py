"""Turns a program's calls with a colleague's token into readings of the app, as JSON."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from orchestrator import team
from orchestrator.app import Orchestrator, views
from orchestrator.app.views import Wanted
from orchestrator.errors import NotAllowedError
from orchestrator.items import Status
from orchestrator.outbox import shown
from orchestrator.web.pages import asked, document
from orchestrator.web.shapes import CampaignOut, Errors, ItemOut, OutboxOut, TiersOut, WaitsOut

_LONGEST_LIST = 500
_BEARER = HTTPBearer(
    auto_error=False, description="A colleague's token, as `orchestrator team` shows it once."
)
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Errors, "description": "No token, or one that belongs to nobody here."},
    403: {"model": Errors, "description": "The token's holder may not do this."},
    404: {"model": Errors, "description": "There is no such thing."},
    422: {"model": Errors, "description": "Something in the request is wrong: every reason."},
    503: {"model": Errors, "description": "The world outside (disk, database) did not let us finish."},
}


class NoTokenError(NotAllowedError):
    """A program said nobody's token."""

    http_status = 401


def router(app: Orchestrator) -> APIRouter:
    """Build the readings under /api/v1."""

    def holder(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Orchestrator:
        if credentials is None:
            raise NoTokenError("Say who asks: send the header Authorization: Bearer TOKEN.")
        try:
            return app.acting_for(app.look(team.holding, credentials.credentials))
        except NotAllowedError as error:
            raise NoTokenError(str(error)) from error

    routes = APIRouter(prefix="/api/v1", responses=_REFUSALS)
    for part in (_who, _what, _worth):
        part(routes, Depends(holder))
    return routes


def _who(routes: APIRouter, holder: object) -> None:
    @routes.get("/tiers", tags=["audience"])
    def tiers(app: Annotated[Orchestrator, holder]) -> TiersOut:
        """Count people by tier, and moves in the last run."""
        return TiersOut.of(app.look(views.tiers))


def _what(routes: APIRouter, holder: object) -> None:
    @routes.get("/campaigns", tags=["campaigns"])
    def campaigns(app: Annotated[Orchestrator, holder]) -> list[CampaignOut]:
        """List campaigns, the newest first."""
        return [CampaignOut.of(line) for line in app.look(views.campaigns)]

    @routes.get("/items", tags=["items"])
    def items(
        app: Annotated[Orchestrator, holder],
        campaign: Annotated[str, Query(description="A campaign's id.")] = "",
        status: Annotated[Status | None, Query(description="Where items stand.")] = None,
        after: Annotated[str, Query(description="The last id of the list before, for the next one.")] = "",
        limit: Annotated[int, Query(ge=1, le=_LONGEST_LIST)] = 100,
    ) -> list[ItemOut]:
        """List items in order of their ids, with what they say and every try at them."""
        wanted = Wanted(campaign, status or "", after, limit)
        return [ItemOut.of(view) for view in app.look(views.listed, wanted)]

    @routes.get("/items/{item_id}", tags=["items"])
    def item(app: Annotated[Orchestrator, holder], item_id: str) -> ItemOut:
        """Show one item."""
        return ItemOut.of(app.look(views.item, item_id))

    @routes.get("/outbox", tags=["outbox"])
    def outbox(
        app: Annotated[Orchestrator, holder],
        page: Annotated[int, Query(ge=1, le=1_000_000, description="Which page of what waits.")] = 1,
    ) -> OutboxOut:
        """Say how the outbox stands and what waits for a person, a hundred on a page."""
        counts = dict(app.look(views.pulse, app.now()).counts)
        found = app.look(shown.page, shown.Asked(page=page, size=100), app.now())
        waits = [WaitsOut.of(each) for each in found.items]
        return OutboxOut(counts=counts, next_due=app.look(views.next_due), waiting=waits, pages=found.pages)


def _worth(routes: APIRouter, holder: object) -> None:
    @routes.get("/report", tags=["report"], response_class=Response)
    def report(
        app: Annotated[Orchestrator, holder],
        campaign: Annotated[str, Query(description="A campaign's id or its playbook; else all.")] = "",
        from_: Annotated[str, Query(alias="from", description="First day, 2026-03-01.")] = "",
        to: Annotated[str, Query(description="Last day, 2026-03-31.")] = "",
        format: Annotated[
            Literal["json", "md", "csv", "html"], Query(description="How it is written.")
        ] = "json",
    ) -> Response:
        """Say what it was worth, against the four goals, each figure with how it was made."""
        return document(app.report(asked(campaign, from_, to), format), format)

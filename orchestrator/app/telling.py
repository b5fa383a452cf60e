"""An orchestrator -> who tells colleagues what waits for them, as brand.yaml and the environment say."""

from orchestrator import db, notices, team
from orchestrator.app import Orchestrator
from orchestrator.notices import Means, Sender, Telling
from orchestrator.team import Action, Colleague


def telling(app: Orchestrator) -> Telling:
    """Make one; raises `CheckError` where a way is not set completely."""
    brand = app.brand
    ways = notices.read(brand.notice_ways, brand.notices)
    sender = Sender(brand.name, brand.public_url, brand.zone)
    return Telling(Means(app.engine, brand.notices, ways, sender, app.now))


def address(app: Orchestrator, name: str, email: str) -> Colleague:
    """Give a colleague another e-mail address, "" for none; one's own takes no admin."""
    if name != app.colleague.name:
        team.require(app.colleague, Action.MANAGE)
    with db.writing(app.engine) as session:
        return team.address(session, name, email)

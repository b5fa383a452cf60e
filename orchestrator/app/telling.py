"""An orchestrator -> who tells colleagues what waits for them, as brand.yaml and the environment say."""

from orchestrator import notices
from orchestrator.app import Orchestrator
from orchestrator.notices import Means, Sender, Telling


def telling(app: Orchestrator) -> Telling:
    """Make one; raises `CheckError` where a way is not set completely."""
    brand = app.brand
    ways = notices.read(brand.notice_ways, brand.notices)
    sender = Sender(brand.name, brand.public_url, brand.zone)
    return Telling(Means(app.engine, brand.notices, ways, sender, app.now))

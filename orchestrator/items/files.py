"""The files that a campaign was applied from -> rows and back, so that it goes on from just those."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, select

from orchestrator.items.tables import Campaign, CampaignFile, MediaFile

_PLAIN = "application/octet-stream"


@dataclass(frozen=True)
class Kept:
    """A campaign, the files (path below the brand's folder -> bytes) it was applied from, and when."""

    campaign_id: str
    playbook: str
    by: str
    files: Mapping[str, bytes]
    at: datetime


def keep_files(session: Session, campaign_id: str, files: Mapping[str, bytes], now: datetime) -> None:
    """Keep just these files for a campaign; none: it does not go on by itself."""
    session.exec(delete(CampaignFile).where(col(CampaignFile.campaign_id) == campaign_id))
    for path, data in sorted(files.items()):
        digest = hashlib.sha256(data).hexdigest()
        if session.get(MediaFile, digest) is None:
            session.add(MediaFile(sha256=digest, type=_PLAIN, data=data))
        session.add(CampaignFile(campaign_id=campaign_id, path=path, sha256=digest, at=now))
    session.flush()


def going_on(session: Session) -> list[str]:
    """List the running campaigns that go on by themselves."""
    mine = select(CampaignFile.campaign_id).distinct()
    running = select(Campaign.id).where(Campaign.status == "running", col(Campaign.id).in_(mine))
    return list(session.exec(running.order_by(Campaign.id)))


def kept(session: Session, campaign_id: str) -> Kept:
    """Read back what a campaign goes on from."""
    campaign = session.get_one(Campaign, campaign_id)
    rows = session.exec(
        select(CampaignFile, MediaFile.data)
        .join(MediaFile, col(MediaFile.sha256) == CampaignFile.sha256)
        .where(CampaignFile.campaign_id == campaign_id)
    ).all()
    files = {row.path: data for row, data in rows}
    at = max(row.at for row, _ in rows)
    return Kept(campaign_id, campaign.playbook, campaign.created_by, files, at)

"""What machines ask of a running brand -> whether it can do its work, and figures for Prometheus."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from orchestrator.app import Orchestrator
from orchestrator.app.driving import HEART
from orchestrator.app.vitals import NEWEST, Readiness, Vitals, readiness, vitals
from orchestrator.db import utcnow
from orchestrator.dispatch import Clock
from orchestrator.web.public import Gauge

_ALIVE = timedelta(seconds=30)
_TICKS = ("publish", "recover", "notices", "collect", "report")


def ready(app: Orchestrator, clock: Clock | None) -> Callable[[], Readiness]:
    """Make the question whether work can be done; with a clock, it must live."""
    since = app.now()

    def asked() -> Readiness:
        found = readiness(app, since)
        beat = clock.last_run(HEART) if clock else None
        if clock is None or (beat and utcnow() - beat < _ALIVE):
            return found
        missing = ("the clock of this process does not run", *found.missing)
        return Readiness(missing, found.notes, found.incidents)

    return asked


def gauges(app: Orchestrator, clock: Clock | None) -> Sequence[Gauge]:
    """Give the figures of a brand."""
    seen = app.look(vitals, app.now())
    return [*_outbox(seen), *_told(seen), *_rates(seen), *_clock(seen, clock)]


def _outbox(seen: Vitals) -> Iterator[Gauge]:
    for status, n in seen.items:
        yield Gauge("orchestrator_items", "Items by status.", n, (("status", status),))
    late = "How long the item waits that has been due longest, 0 if none is."
    yield Gauge("orchestrator_oldest_due_seconds", late, seen.oldest_due)
    waits = "orchestrator_waiting", "Items that wait for somebody, by status and what they wait for."
    for status, why, n in seen.waiting:
        yield Gauge(*waits, n, (("status", status), ("why", why)))
    for state, n in seen.leases:
        yield Gauge("orchestrator_leases", "Items in the hand of a worker.", n, (("state", state),))
    yield Gauge("orchestrator_attempts_total", "Tries at items ever begun.", seen.begun, (), "counter")
    ended = (
        "orchestrator_recent_attempts",
        f"The last {NEWEST:,} tries by how far they came or how they ended.",
    )
    for state, n in seen.attempts:
        yield Gauge(*ended, n, (("state", state),))


def _told(seen: Vitals) -> Iterator[Gauge]:
    for kind, n in seen.incidents:
        yield Gauge("orchestrator_incidents", "Incidents that are open, by kind.", n, (("kind", kind),))
    for way, state, n in seen.notices:
        told = "Notices by the way they go and what became of them."
        yield Gauge("orchestrator_notices", told, n, (("way", way), ("state", state)))


def _rates(seen: Vitals) -> Iterator[Gauge]:
    for each in seen.levels:
        on = (("account", each.account),)
        yield Gauge(
            "orchestrator_rate_tokens", "Posts an account could send at its last one.", each.tokens, on
        )
        held = "How long an account's platform wants no requests, 0 where it takes them."
        yield Gauge("orchestrator_rate_blocked_seconds", held, each.blocked, on)


def _clock(seen: Vitals, clock: Clock | None) -> Iterator[Gauge]:
    if seen.beat is not None:
        lives = "How long ago a clock of any process showed that it lives."
        yield Gauge("orchestrator_clock_beat_seconds", lives, seen.beat)
    runs = [(tick, clock.last_run(tick)) for tick in _TICKS] if clock else []
    since = "orchestrator_clock_seconds", "How long ago each tick of this process's clock last ended well."
    for tick, at in runs:
        if at:
            yield Gauge(*since, (utcnow() - at).total_seconds(), (("tick", tick),))

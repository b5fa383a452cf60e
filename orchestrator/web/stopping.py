"""Turns the buttons that stop everything, or a part of it, and let it go again, into calls of the app."""

from orchestrator.errors import CheckError, OutsideError
from orchestrator.web.desk import Form, Visit


def stop(visit: Visit, form: Form) -> tuple[str, int]:
    """Stop what the form names, and come back once nothing of it leaves any more."""
    stopped = visit.app.stop(form.text("why"), form.text("scope"))
    if stopped.not_cancelled:
        named = ", ".join(f"{each.item_id}@{each.rev} on {each.account}" for each in stopped.not_cancelled)
        raise OutsideError(
            f"Stop {stopped.stop_id} is in force, but platforms hold these and may make them public: "
            f"{named}. We keep trying to take them back; or delete them there."
        )
    return "stopped", stopped.in_flight


def resume(visit: Visit, form: Form) -> tuple[str, int]:
    """Let go what one stop kept back, at the pace that the form names."""
    pace = form.text("pace")
    if pace and not (pace.isascii() and pace.isdigit() and 0 < int(pace) <= 6000):
        raise CheckError(f"{pace!r} is no pace: write how many posts a minute may leave, from 1 to 6000.")
    return "resumed", visit.app.resume(form.text("ref"), int(pace or 0)).queued

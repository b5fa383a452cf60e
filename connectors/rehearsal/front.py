"""A call becomes work of the API it is meant for: whose token it carries, and how much they may do."""

from connectors.rehearsal.api import Api
from connectors.rehearsal.containers import Containers
from connectors.rehearsal.messages import Account, RefusedError, Rules
from connectors.rehearsal.meter import Meter
from connectors.rehearsal.practice import Practice
from connectors.rehearsal.routing import Result, refusal
from connectors.rehearsal.timeline import Timeline
from connectors.rehearsal.wire import Call


class Front:
    """Answers calls in the shape of Mastodon, and those of the practice API under /practice/."""

    def __init__(self, timeline: Timeline, containers: Containers, rules: Rules) -> None:
        self._timeline = timeline
        self._mastodon = Api(timeline, rules)
        self._practice = Practice(timeline, containers, rules)
        self._meter = Meter(rules)

    def caller(self, call: Call) -> Account | None:
        """Return whose token a call carries."""
        return self._timeline.by_token(_token(call))

    def handle(self, call: Call) -> Result:
        """Carry out one call; what is refused is answered as an error."""
        self._timeline.release()
        practice = call.path.startswith("/practice/")
        try:
            account = self._signed_in(call)
            used = self._meter.use(account.name if account else "", waits=practice)
        except RefusedError as refused:
            return refusal(refused)
        api = self._practice if practice else self._mastodon
        try:
            result = api.carry_out(call, account)
        except RefusedError as refused:
            result = refusal(refused)
        result.answer.headers.update(used)
        return result

    def _signed_in(self, call: Call) -> Account | None:
        account = self.caller(call)
        if account is None and _token(call):
            raise RefusedError(401, "The access token is invalid", code="token")
        if "transfer-encoding" in call.headers:
            raise RefusedError(411, "Length required")
        return account


def _token(call: Call) -> str:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""

"""Work, spend, reach, visits -> the goal *efficiency*: what came in for what went in."""

from dataclasses import dataclass
from fractions import Fraction

from orchestrator.value.figures import NOT_ENOUGH, NOT_REPORTED, Figure, Goal, Grade, Unit, per, whole
from orchestrator.value.inputs import Inputs
from orchestrator.value.metrics import REACH, by_item
from orchestrator.value.sales import credits


@dataclass(frozen=True)
class _Sums:
    """What the ratios are made of; money in minor units, reach None where nobody reported it."""

    currency: str
    reach: int | None
    visits: int
    orders: int
    credited: int
    minutes: int
    spend: int
    reward: int
    work: int
    told: bool

    @property
    def cost(self) -> int:
        return self.work + self.spend + self.reward


def efficiency(inputs: Inputs) -> Goal:
    """Set reach, visits and credited money against minutes, spend and rewards."""
    sums = _sums(inputs)
    figures = (
        _money("money_per_hour", "Credited money per hour of work", sums,
               per(sums.credited, sums.minutes, 60), per="per hour",
               how="Credited money, less refunds, over the minutes of work reported."),
        _reach(inputs, sums),
        *_visits(inputs, sums),
        *_costs(inputs, sums),
        *_ratios(inputs, sums),
        *_bought(inputs, sums),
    )  # fmt: skip
    return Goal("efficiency", "Efficiency", figures)


def _sums(inputs: Inputs) -> _Sums:
    ours, reached = credits(inputs), by_item(inputs.readings, REACH)
    spent = {kind: sum(each.amount for each in inputs.costs if each.kind == kind) for kind in _KINDS}
    return _Sums(
        inputs.question.currency,
        reach=sum(reached.values()) if reached else None,
        visits=sum(each.count for each in inputs.clicks if not each.bot),
        orders=len({each.order_id for each in ours}),
        credited=sum(each.net for each in ours),
        work=whole(Fraction(spent["minutes"] * inputs.rates.hour, 60)),
        told=bool(inputs.costs),
        **spent,
    )


_KINDS = ("minutes", "spend", "reward")


def _money(key: str, label: str, sums: _Sums, value: int | Fraction | None, how: str, **more: str) -> Figure:
    missing = more.get("missing", NOT_ENOUGH) if value is None else ""
    grade = Grade(more.get("grade", Grade.MEASURED))
    return Figure(
        key, label, Unit.MONEY, value, grade, how, None, sums.currency, missing, more.get("per", "")
    )


def _reach(inputs: Inputs, sums: _Sums) -> Figure:
    posts = len(by_item(inputs.readings, REACH))
    how = "The newest reading of each post, added up: whoever saw two posts counts twice."
    missing = "" if sums.reach is not None else NOT_REPORTED
    return Figure(
        "reach", "People reached", Unit.COUNT, sums.reach, Grade.MEASURED, how, posts, missing=missing
    )


def _visits(inputs: Inputs, sums: _Sums) -> tuple[Figure, ...]:
    bots = sum(each.count for each in inputs.clicks if each.bot)
    share = Fraction(sums.orders, sums.visits) if sums.visits else None
    seen = "Clicks on tracked links by browsers; programs and prefetches are counted apart."
    marked = "Clicks by programs, link previews and prefetches; kept, never counted as visits."
    return (
        Figure("visits", "Visits", Unit.COUNT, sums.visits, Grade.MEASURED, seen, sums.visits),
        Figure("bots", "Clicks that were no visit", Unit.COUNT, bots, Grade.MEASURED, marked, bots),
        Figure("orders_per_visit", "Orders per visit", Unit.SHARE, share, Grade.MEASURED,
               "Credited orders over visits.", sums.visits, missing="" if share is not None else NOT_ENOUGH),
    )  # fmt: skip


def _costs(inputs: Inputs, sums: _Sums) -> tuple[Figure, ...]:
    silent, n = "" if sums.told else NOT_REPORTED, len(inputs.costs)
    minutes, spend, reward = (
        value if sums.told else None for value in (sums.minutes, sums.spend, sums.reward)
    )
    reported = "As reported in the costs."
    return (
        Figure("minutes", "Work", Unit.MINUTES, minutes, Grade.MEASURED, reported, n, missing=silent),
        _money("spend", "Spend", sums, spend, reported, missing=silent),
        _money("reward", "Rewards", sums, reward, reported, missing=silent),
        _work(inputs, sums),
        _money("cost", "Cost in all", sums, sums.cost if sums.told else None,
               "Spend, rewards and the cost of work.", missing=silent, grade=_grade(sums)),
    )  # fmt: skip


def _work(inputs: Inputs, sums: _Sums) -> Figure:
    if not inputs.rates.hour:
        how = "No cost of an hour of work is stated in brand.yaml, so work is counted in minutes only."
        return _money("work_cost", "Cost of work", sums, None, how, missing=NOT_REPORTED, grade=Grade.ASSUMED)
    how = "Minutes of work at the hourly cost stated in brand.yaml."
    value = sums.work if sums.told else None
    return _money("work_cost", "Cost of work", sums, value, how, missing=NOT_REPORTED, grade=Grade.ASSUMED)


def _grade(sums: _Sums) -> Grade:
    """A sum is worth what its weakest part is: the cost of work rests on a stated rate."""
    return Grade.ASSUMED if sums.work else Grade.MEASURED


def _ratios(inputs: Inputs, sums: _Sums) -> tuple[Figure, ...]:
    grade = _grade(sums)
    cost = sums.cost if sums.told else None

    def of(key: str, label: str, by: int, times: int, how: str) -> Figure:
        value = None if cost is None else per(cost, by, times)
        return _money(
            key, label, sums, value, how, missing=NOT_REPORTED if cost is None else NOT_ENOUGH, grade=grade
        )

    ratio = Fraction(sums.credited, cost) if cost else None
    earned = (
        "Credited money over cost. This is no ROI: credit says what came before an order, not what caused it."
    )
    return (
        _money("money_per_visit", "Credited money per visit", sums, per(sums.credited, sums.visits),
               "Credited money, less refunds, over visits.", per="per visit"),
        of("cost_per_visit", "Cost per visit", sums.visits, 1, "Cost in all over visits."),
        of("cost_per_order", "Cost per order", sums.orders, 1, "Cost in all over credited orders."),
        of("cost_per_thousand", "Cost per 1,000 reached", sums.reach or 0, 1000, "Cost in all over reach."),
        Figure("money_per_cost", f"Credited money per 1 {sums.currency} of cost", Unit.RATIO, ratio, grade,
               earned, missing="" if ratio is not None else NOT_ENOUGH),
    )  # fmt: skip


def _bought(inputs: Inputs, sums: _Sums) -> tuple[Figure, Figure]:
    rates = inputs.rates
    said = f"stated by {rates.stated_by} on {rates.stated_on:%d %B %Y}" if rates.stated_on else ""
    clicks = None if rates.click is None else sums.visits * rates.click
    reach = None if rates.thousand is None or sums.reach is None else per(sums.reach * rates.thousand, 1000)
    none, beside = "No price for it is stated in brand.yaml.", "Stands beside the value, not in it."
    return (
        _money("bought_visits", "The same visits as ads", sums, clicks,
               f"Visits at the price of an ad click {said}. {beside}" if said else none,
               missing=NOT_REPORTED, grade=Grade.ASSUMED),
        _money("bought_reach", "The same reach as ads", sums, reach,
               f"People reached at the price of 1,000 {said}. {beside}" if said else none,
               missing=NOT_REPORTED, grade=Grade.ASSUMED),
    )  # fmt: skip

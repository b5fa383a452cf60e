"""The report shows value as pages: complete, safe, the same bytes for the same value, one sheet of paper."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator import report
from orchestrator.attribution import Conversion, Refund, Touch, credit
from orchestrator.errors import CheckError
from orchestrator.report import charts
from orchestrator.report.words import moment, move, period
from orchestrator.value import (
    Clicks,
    Cost,
    Decisions,
    Hour,
    Inputs,
    Item,
    Move,
    Notice,
    People,
    Question,
    Rates,
    Reading,
    Value,
    value,
)
from orchestrator.value.figures import MoveLine
from tests.servers.chromium import Chromium

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WINDOW = timedelta(days=30)
NASTY = '<script>alert("x")</script> & | *stars* `code` [a](b)'


def empty() -> Value:
    return value(Inputs(Question("Castle & Co", "", "USD", NOW), credit([], [], WINDOW)))


def golden() -> Value:
    touches = [Touch(f"t{n}", NOW, "i1", f"k{n}") for n in range(200)]
    sold = [Conversion(f"o{n}", NOW, 5000, "USD", f"k{n}") for n in range(200)]
    return value(
        Inputs(
            Question("Castle & Co", "Fan-made castle", "USD", NOW + timedelta(hours=8)),
            credit(touches, sold, WINDOW),
            (Item("i1", "c", "Fans make the picture", "mastodon", "published"),),
            (Clicks("i1", "", False, 8000), Clicks("i1", "preview", False, 480)),
            tuple(
                (NOW + timedelta(hours=n), visits)
                for n, visits in enumerate((900, 2600, 2100, 1300, 700, 400))
            ),
            (Cost("minutes", 15),),
            (Reading("i1", "reach", 1_000_000), Reading("i1", "likes", 1234)),
        )
    )


def large() -> Value:
    """Build the longest page there can be: every line, every caveat, many plays with long names."""
    names = [f"Behind the scenes of the great hall and its very long corridors, part {n}" for n in range(12)]
    items = tuple(Item(f"i{n}", "c", name, f"channel{n % 3}", "published") for n, name in enumerate(names))
    touches = [Touch(f"t{n}", NOW, f"i{n % 12}", f"k{n}") for n in range(300)]
    sold = [Conversion(f"o{n}", NOW, 123456789, "USD", f"k{n}") for n in range(300)]
    sold[0] = replace(sold[0], refunds=(Refund("r", NOW, 5000),))
    rest = [Conversion("u", NOW, 4321, "USD", ""), Conversion("e", NOW, 1, "EUR", "")]
    late = [Conversion("late", NOW + timedelta(days=60), 4321, "USD", "k1")]
    return value(
        Inputs(
            Question(
                "A brand with quite a long name", "Everything that was done", "USD", NOW, NOW, NOW + WINDOW
            ),
            credit(touches, [*sold, *rest, *late], WINDOW),
            items,
            tuple(Clicks(f"i{n}", "", bool(n % 2), 1234567) for n in range(12)),
            tuple((NOW + timedelta(hours=7 * n), n % 50) for n in range(400)),
            (Cost("minutes", 98765), Cost("spend", 12345678), Cost("reward", 999)),
            tuple(Reading(f"i{n}", "reach", 123456789) for n in range(12)),
            tuple(
                Move(before, after, 12345)
                for before in range(1, 7)
                for after in range(1, 7)
                if before != after
            ),
            People(1000, 500, 2),
            Decisions(9, 9, (Notice(NOW, NOW + timedelta(days=3)),)),
            Rates(6000, 50, 900, "the media desk of the brand", date(2026, 1, 15)),
            (Refund("x", NOW, 1),),
        )
    )


def nasty() -> Value:
    told = golden()
    lines = tuple(replace(line, play=NASTY, channels=(NASTY,)) for line in told.plays)
    return replace(told, brand=NASTY, title=NASTY, headline=NASTY, plays=lines, caveats=(NASTY,))


class Page(HTMLParser):
    """What a page holds: its tags in order, checked to be closed as they were opened."""

    EMPTY = ("meta", "br", "rect", "line")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, told or "") for name, told in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


# ---- all formats


@pytest.mark.parametrize("format_", report.FORMATS)
def test_the_same_value_gives_the_same_bytes(format_: str) -> None:
    assert report.write(golden(), format_) == report.write(golden(), format_)
    assert report.write(golden(), format_) != report.write(empty(), format_)


@pytest.mark.parametrize("format_", report.FORMATS)
def test_the_published_trial_reads_to_the_cent(format_: str) -> None:
    text = report.write(golden(), format_)
    plain = format_ == "csv"
    for shown in (
        ("1000000", "8000", "10000.00", "40000.00", "1.25") if plain else ("1,000,000", "8,000", "$10,000.00")
    ):
        assert shown in text
    if not plain:
        assert "$40,000.00" in text
        assert "$1.25" in text
        assert "15 min" in text


def test_another_format_is_a_sentence() -> None:
    with pytest.raises(CheckError, match="'htm' is no format: html, md, json, csv; did you mean 'html'"):
        report.write(golden(), "htm")


# ---- JSON and CSV


def test_json_has_stable_names_and_exact_money() -> None:
    told = json.loads(report.write(golden(), "json"))
    assert list(told["goals"]) == ["sales", "efficiency", "affinity", "protection"]
    assert told["goals"]["sales"]["credited"]["minor"] == 1_000_000
    assert told["goals"]["sales"]["credited"]["currency"] == "USD"
    assert told["goals"]["sales"]["credited"]["shown"] == "$10,000.00"
    assert told["goals"]["efficiency"]["reach"]["value"] == 1_000_000
    assert told["goals"]["efficiency"]["money_per_hour"]["minor"] == 4_000_000
    assert told["goals"]["efficiency"]["money_per_visit"]["minor"] == 125
    assert told["goals"]["efficiency"]["minutes"]["value"] == 15
    assert told["goals"]["efficiency"]["spend"]["minor"] == 0
    assert told["plays"][0]["credited"] == {"minor": 1_000_000, "currency": "USD", "shown": "$10,000.00"}
    assert told["visits_by_hour"][0] == {"at": "2026-03-02T09:00:00+00:00", "visits": 900}
    assert (told["model"], told["window_seconds"], told["likes"]["value"]) == ("last", 30 * 24 * 3600, 1234)


def test_json_says_why_there_is_no_figure() -> None:
    goals = json.loads(report.write(empty(), "json"))["goals"]
    assert (goals["efficiency"]["reach"]["value"], goals["efficiency"]["reach"]["missing"]) == (
        None,
        "not reported",
    )
    assert (goals["sales"]["incremental"]["minor"], goals["sales"]["incremental"]["missing"]) == (
        None,
        "not measured",
    )
    assert "missing" not in goals["sales"]["credited"]


def test_json_gives_a_fraction_of_a_cent_rounded_and_a_share_as_a_fraction() -> None:
    goals = json.loads(report.write(large(), "json"))["goals"]
    assert isinstance(goals["efficiency"]["cost_per_visit"]["minor"], int)
    assert 0 < goals["efficiency"]["orders_per_visit"]["value"] < 1


def test_csv_has_one_line_per_figure_with_its_grade_and_how() -> None:
    told = golden()
    lines = list(csv.DictReader(io.StringIO(report.write(told, "csv"))))
    assert list(lines[0]) == ["goal", "figure", "value", "unit", "grade", "how"]
    assert len(lines) == sum(len(goal.figures) for goal in told.goals) + 1
    by_name = {(line["goal"], line["figure"]): line for line in lines}
    assert by_name["sales", "credited"]["value"] == "10000.00"
    assert by_name["efficiency", "money_per_hour"]["unit"] == "USD per hour"
    assert by_name["affinity", "shares"]["value"] == ""
    assert by_name["affinity", "shares"]["how"].startswith("Not reported. ")
    assert by_name["efficiency", "orders_per_visit"]["value"] == "0.025"
    assert {line["grade"] for line in lines} <= {"measured", "estimated", "assumed"}


# ---- Markdown


def test_markdown_has_a_table_per_goal_whose_rows_are_whole() -> None:
    text = report.write(large(), "md")
    for title in ("Sales", "Efficiency", "Affinity", "Protection", "Plays", "What this does not say"):
        assert f"\n## {title}\n" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1


def test_markdown_keeps_what_people_wrote_from_being_markup() -> None:
    text = report.write(nasty(), "md")
    assert "<script>" not in text
    assert "\\<script\\>" in text
    assert "\\*stars\\*" in text


# ---- HTML


@pytest.mark.parametrize(
    "told", [golden(), large(), empty(), nasty()], ids=["golden", "large", "empty", "nasty"]
)
def test_the_page_is_whole_stands_by_itself_and_needs_no_script(told: Value) -> None:
    text = report.write(told)
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert page.tags.count("article") == 4
    assert page.tags.count("svg") == 3
    assert not {"script", "link", "img", "iframe", "form"} & set(page.tags)
    assert not [told for name, told in page.attributes if name in ("src", "href", "onclick", "style")]
    assert "url(" not in text
    assert "@import" not in text


def test_what_people_wrote_is_text_and_no_markup() -> None:
    text = report.write(nasty())
    assert "<script" not in text
    assert NASTY in Page(text).text


def test_the_page_follows_light_and_dark_and_prints_on_a4() -> None:
    text = report.write(golden())
    assert 'content="light dark"' in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@page { size: A4" in text


@pytest.mark.parametrize("told", [golden(), large(), empty()], ids=["golden", "large", "empty"])
def test_every_chart_is_well_formed_named_and_said_as_a_table(told: Value) -> None:
    for draw in (charts.funnel, charts.over_time, charts.money_by_play):
        drawn = ElementTree.fromstring(draw(told))
        (svg,) = drawn.iter("svg")
        assert svg.get("role") == "img"
        assert svg.get("aria-label")
        assert next(iter(svg)).tag == "title"
        assert list(drawn.iter("table"))
        for box in svg.iter("rect"):
            assert float(box.get("width", "-1")) >= 0
            assert float(box.get("height", "-1")) >= 0
            assert float(box.get("x", "-1")) + float(box.get("width", "0")) <= 331


def test_the_funnel_says_how_many_went_on() -> None:
    drawn = charts.funnel(golden())
    assert "0.8 % went on" in drawn
    assert "2.5 % went on" in drawn
    assert "went on" not in charts.funnel(empty())


def test_more_orders_than_visits_do_not_go_on() -> None:
    told = golden()
    efficiency = replace(told.goals[1], figures=tuple(
        replace(each, value=10) if each.key == "visits" else each for each in told.goals[1].figures
    ))  # fmt: skip
    drawn = charts.funnel(replace(told, goals=(told.goals[0], efficiency, *told.goals[2:])))
    assert drawn.count("went on") == 1


@pytest.mark.parametrize(
    ("hours", "title", "bars"),
    [
        ([0], "Visits by the hour", 1),
        ([0, 5], "Visits by the hour", 6),
        ([0, 47], "Visits by the hour", 48),
        ([0, 48], "Visits by the day", 3),
        ([0, 24 * 40], "Visits by the day", 41),
        ([0, 24 * 300], "Visits by the week", 43),
    ],
)
def test_long_times_are_drawn_in_longer_steps_without_gaps(hours: list[int], title: str, bars: int) -> None:
    told = replace(golden(), hours=tuple(Hour(NOW + timedelta(hours=n), 3) for n in hours))
    drawn = ElementTree.fromstring(charts.over_time(told))
    (svg,) = drawn.iter("svg")
    assert svg.get("aria-label") == title
    assert len(list(svg.iter("rect"))) == bars
    said = [int(cell.text or "") for cell in drawn.iter("td")]
    assert (len(said), sum(said)) == (bars, 3 * len(hours))


def test_what_has_no_room_is_summed_up_and_not_left_out() -> None:
    told = large()
    text = Page(report.write(told)).text
    assert "and 6 more" in text
    assert "other moves" in text
    assert f"{sum(line.visits for line in told.plays[6:]):,}" in text


def test_figures_that_are_assumed_are_marked_and_counted_ones_are_not() -> None:
    assert "assumed</span>" in report.write(large())
    assert 'class="grade"' not in report.write(golden())


def test_every_figure_stands_on_the_page_with_how_it_was_made() -> None:
    text = Page(report.write(golden())).text
    for goal in golden().goals:
        for each in goal.figures:
            assert each.how in text
            assert each.label in text


def test_likes_are_shown_as_what_they_are() -> None:
    assert "Likes: 1,234 · shown, never counted as value" in Page(report.write(golden())).text


def test_words_for_times_and_moves() -> None:
    east = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=1), "CET"))
    assert moment(east) == "2 March 2026, 09:00 CET"
    assert period(golden()) == "Everything until 2 March 2026, 17:00 UTC."
    assert period(large()) == "From 2 March 2026, 09:00 UTC until 1 April 2026, 09:00 UTC."
    assert period(replace(large(), until=None)).startswith("From 2 March 2026, 09:00 UTC until 2 March")
    assert move(MoveLine(5, 4, 1)) == "covered households → active households"
    assert move(MoveLine(None, 6, 1)) == "new → all households"


# ---- in a browser

PAGES = {"golden": golden, "large": large, "empty": empty}


@pytest.mark.servers
def test_the_page_prints_on_one_sheet(chromium: Chromium, tmp_path: Path) -> None:
    with chromium.browser() as browser:
        page = browser.new_page()
        for name, told in PAGES.items():
            page.set_content(report.write(told()))
            printed = page.pdf(prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1, name


@pytest.mark.servers
def test_the_page_is_dark_where_that_is_wished_and_fits_a_telephone(chromium: Chromium) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with chromium.browser() as browser:
        shades = []
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport={"width": 360, "height": 700})
            page.set_content(report.write(large()))
            shades.append(page.evaluate(paper))
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert shades == ["rgb(251, 250, 247)", "rgb(20, 23, 28)"]

"""Packs are read, checked and rendered; whatever somebody writes into one ends in a sentence."""

import resource
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from orchestrator import content
from orchestrator.content import Context, Pack, picture
from orchestrator.content.language import FaultyError, Known, Person, compile_template
from orchestrator.errors import CheckError
from tests.sample_packs import AROUND, CARD, LIMITS, NOTE, PACK, PNG, limits, write_pack

PUBLIC = Context("Brick & Bloom", "https://go.example/r/aaaaaaaaaaaa", language="en", currency="USD")
ADA = replace(PUBLIC, person_name="Ada Lovelace", first_name="Ada", person_tier="lead-users")
KNOWN = Known(
    frozenset({"n", "word", "day", "link", "person", "language", "currency"}),
    {"person": frozenset({"name", "first_name", "tier"})},
)
VALUES = {
    "n": 3,
    "word": "brick",
    "day": date(2026, 12, 1),
    "link": "https://x",
    "person": Person("Ada L", "Ada"),
}


def rendered(source: str, **values: object) -> str:
    return compile_template(source, KNOWN).render(VALUES | {"language": "en", "currency": "USD"} | values)


def load(folder: Path, **files: str) -> Pack:
    return content.load(write_pack(folder, **files), "content/castle")


def problems_of(folder: Path, **files: str) -> list[str]:
    """Return what loading says, or where it succeeds, what the check says."""
    try:
        pack = load(folder, **files)
    except CheckError as error:
        return [str(p) for p in error.problems]
    return [str(p) for p in content.check(pack, LIMITS, AROUND)]


# ---- rendering --------------------------------------------------------------------------------


def test_a_text_is_rendered_with_values_link_picture_and_language(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle")
    post = content.render(pack, "story", "mastodon", pack.fill({"pieces": "7"}), PUBLIC)
    assert post.text == "7 bricks and a teal roof.\nSee https://go.example/r/aaaaaaaaaaaa"
    assert (post.subject, post.language, post.link) == ("7 bricks", "en", PUBLIC.link)
    assert (post.media[0].name, post.media[0].type, post.media[0].alt) == (
        "castle.png",
        "image/png",
        "A castle with a teal roof",
    )
    assert post.media[0].data == PNG


def test_a_channel_gets_its_own_text_where_there_is_one_and_no_other_does(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle", story_bluesky_j2="Short: {{ link }}")
    assert content.render(pack, "story", "bluesky", pack.fill({}), PUBLIC).text.startswith("Short:")
    assert content.render(pack, "story", "mastodon", pack.fill({}), PUBLIC).text.startswith("1200")


def test_a_text_without_the_link_carries_no_link(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle", story_j2="Just {{ pieces }} bricks")
    assert content.render(pack, "story", "mastodon", pack.fill({}), PUBLIC).link == ""


def test_texts_end_without_white_space(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle", story_j2="\n\n{{ pieces }}   \nb\t\n\n \n")
    assert content.render(pack, "story", "mastodon", pack.fill({}), PUBLIC).text == "1200\nb"


def test_a_card_is_drawn_for_each_reader_and_the_same_for_the_same(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle")
    ada = content.render(pack, "note", "email", pack.fill({}), ADA)
    again = content.render(pack, "note", "email", pack.fill({}), ADA)
    bob = content.render(pack, "note", "email", pack.fill({}), replace(ADA, first_name="Bob"))
    assert ada.media[0].data.startswith(b"\x89PNG")
    assert ada.media[0].alt == "A card for Ada"
    assert ada == again
    assert ada.media[0].sha256 != bob.media[0].sha256


def test_names_in_a_card_are_escaped(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle")
    post = content.render(pack, "note", "email", pack.fill({}), replace(ADA, first_name="A<b>&"))
    assert post.media[0].data.startswith(b"\x89PNG")
    assert post.text.startswith("Dear A<b>&,")


def test_a_template_is_refused_on_a_channel_it_is_not_made_for(tmp_path: Path) -> None:
    one = PACK.replace("story: {media: [castle],", "story: {media: [castle], channels: [bluesky],")
    pack = load(tmp_path / "castle", pack_yaml=one)
    assert content.render(pack, "story", "bluesky", pack.fill({}), PUBLIC).text
    with pytest.raises(CheckError, match="not made for 'mastodon'"):
        content.render(pack, "story", "mastodon", pack.fill({}), PUBLIC)
    with pytest.raises(CheckError, match="no template 'stori'; did you mean 'story'"):
        content.render(pack, "stori", "mastodon", pack.fill({}), PUBLIC)


def test_values_are_typed_and_misfits_are_told_all_at_once(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle")
    assert pack.fill({"pieces": "2.5"})["pieces"] == 2.5
    with pytest.raises(CheckError) as caught:
        pack.fill({"pieces": "many", "colour": "tael", "peices": "1"})
    told = str(caught.value)
    assert "'many' is no number" in told
    assert "did you mean 'teal'" in told
    assert "did you mean 'pieces'" in told


# ---- filters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 19.9|money }}", "$19.90"),
        ("{{ 12|money('EUR') }}", "€12.00"),
        ("{{ day|date }}", "December 1, 2026"),
        ("{{ day|date('de') }}", "1. Dezember 2026"),
        ("{{ day|date('en-GB') }}", "1 December 2026"),
        ("{{ day|date('xx') }}", "2026-12-01"),
        ("{{ 12500|number }}", "12,500"),
        ("{{ 'brick & bloom'|hashtag }}", "#BrickBloom"),
        ('{{ "a fan\'s castle"|hashtag }}', "#AFansCastle"),
        (
            "{{ [1, 2]|join(', ') }} {{ word ~ n }} {{ word|upper|truncate(4, true, '', 0) }}",
            "1, 2 brick3 BRIC",
        ),
        (
            "{% set s = namespace(t=0) %}{% for i in range(4) %}{% set s.t = s.t + i %}{% endfor %}{{ s.t }}",
            "6",
        ),
        ("{% macro b(x) %}[{{ x }}]{% endmacro %}{{ b(1) }}{{ b(2) }}", "[1][2]"),
        ("{% for i in [1, 2] %}{{ loop.index }}{{ loop.cycle('a', 'b') }}{% endfor %}", "1a2b"),
        ("{% for a, b in [('x', 1), ('y', 2)] %}{{ a }}{{ b }}{% endfor %}", "x1y2"),
        ("{{ 'a-b'.split('-')|join('+') }}{{ '%05.1f'|format(2) }}", "a+b002.0"),
        ("{{ word|replace('b', 'p')|center(9) }}|{{ 2 * 3 ** 2 % 5 }}", "  prick  |3"),
    ],
)
def test_what_a_message_needs_works(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    "source", ["{{ '!'|hashtag }}", "{{ '12'|hashtag }}", "{{ 'x'|money }}", "{{ 'x'|date }}"]
)
def test_a_filter_says_what_it_cannot_do(source: str) -> None:
    with pytest.raises(FaultyError):
        rendered(source)


# ---- hostile templates ------------------------------------------------------------------------

DOUBLE = "{% set x = x ~ x %}"
LOOP, END = "{% for i in range(999) %}", "{% endfor %}"
HOSTILE = {
    "nested loops": LOOP * 4 + "x" + END * 4,
    "silent nested loops": "{% for a in range(999) %}" * 6 + "{% endfor %}" * 6,
    "huge range": "{% for a in range(10**12) %}x{% endfor %}",
    "range as list": "{{ range(10**9)|list|length }}",
    "macro without end": "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "macro that doubles": (
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}"
    ),
    "long macro often": "{% macro m() %}" + "y" * 5000 + "{% endmacro %}" + LOOP + "{{ m() }}" + END,
    "string times": '{{ "a" * 10**9 }}',
    "list times": "{{ ([1] * 10**9)|length }}",
    "tuple times": "{{ ((1,) * 10**9)|length }}",
    "power": "{{ 10 ** (10 ** 9) }}",
    "power of power": "{{ (7 ** 99) ** (9 ** 9) }}",
    "squares": "{% set s = namespace(x=3) %}" + LOOP + "{% set s.x = s.x * s.x %}" + END,
    "center": "{{ 'a'|center(10**9) }}",
    "center in a filter block": "{% filter center(10**9) %}a{% endfilter %}",
    "center through map": "{{ ['a']|map('center', 10**9)|first|length }}",
    "format width": "{{ '%0999999999d'|format(1) }}",
    "format star": "{{ '%*d'|format(10**9, 1) }}",
    "percent precision": "{{ '%.999999999f' % 1 }}",
    "percent named width": "{{ '%(a)0999999999d'|format(a=1) }}",
    "format method": "{{ '{:>999999999}'.format(1) }}",
    "format map": "{{ '{a:>999999999}'.format_map({'a': 1}) }}",
    "ljust": "{{ 'a'.ljust(10**9) }}",
    "zfill": "{{ 'a'.zfill(10**9) }}",
    "expandtabs": "{{ '\t'.expandtabs(10**9) }}",
    "date width": "{{ day.strftime('%999999999d') }}",
    "bytes": "{{ (1).to_bytes(10**9, 'big') }}",
    "doubling by ~": "{% set x = 'aaaa' %}" + DOUBLE * 60 + "{{ x|length }}",
    "doubling by +": "{% set x = 'aaaa' %}" + "{% set x = x + x %}" * 60 + "{{ x|length }}",
    "doubling lists": "{% set x = [1] %}" + "{% set x = x + x %}" * 60 + "{{ x|length }}",
    "doubling by nesting": "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
    "doubling by dicts": "{% set x = 1 %}" + "{% set x = {'a': x, 'b': x} %}" * 60 + "{{ x }}",
    "doubling by blocks": "{% set x = 'aaaa' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60 + "{{ x }}",
    "replace": "{{ ('a' * 9000)|replace('a', 'b' * 9000)|length }}",
    "join": "{{ ('a' * 9000)|join('b' * 9000)|length }}",
    "join by name": "{{ ('a' * 9000)|join(d='b' * 9000)|length }}",
    "set block": "{% set x %}{% for i in range(999) %}{{ 'a' * 9999 }}{% endfor %}{% endset %}{{ x|length }}",
    "long text in a loop": "{% for i in range(999) %}" + "z" * 100_000 + "{% endfor %}",
    "lists shown again and again": "{% set b = range(900)|list %}" + LOOP * 2 + "{{ b }}" + END * 2,
    "looking again and again": "{% set b = 'a' * 9999 %}" + LOOP * 2 + "{{ 'aab' in b }}" + END * 2,
    "deep brackets": "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}",
    "long sum": "{{ " + "+".join(["1"] * 4000) + " }}",
    "long chain of signs": "{{ " + "-" * 4000 + "1 }}",
    "long number": "{{ 9" + "9" * 9000 + " }}",
    "deep ifs": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "deep loops": "{% for x in [1] %}" * 40 + END * 40,
    "huge source": "x" * 300_000,
    "many parts": "{{ n }}" * 20_000,
    "loop that calls itself": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "cheaper than nothing": "{{ [[1]]|map(' loop', -10**12)|list }}" + LOOP * 4 + END * 4,
    "lorem ipsum": "{{ lipsum(n=10**9) }}",
    "round": "{{ 1.5|round(10**9, 'ceil') }}",
    "insides": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "another file": "{% include '/etc/passwd' %}",
    "block in block": "{% block a %}{{ self.a() }}{% endblock %}",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_an_endless_or_huge_template_ends_in_a_sentence_quickly_and_small(name: str) -> None:
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(FaultyError) as caught:
        rendered(HOSTILE[name])
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert caught.value.faults[0].message


def test_a_hostile_template_is_found_by_the_check(tmp_path: Path) -> None:
    for name in ("macro that doubles", "silent nested loops", "string times"):
        said = problems_of(tmp_path / name.replace(" ", "-"), story_j2="fine\n" + HOSTILE[name])
        assert said
        assert said[0].startswith("content/castle/story.j2:2:")


def test_a_namespace_that_holds_itself_shows_nothing_of_itself() -> None:
    text = "{% set a = namespace(v=1) %}{% for i in range(60) %}{% set a.v = [a, a] %}{% endfor %}{{ a }}"
    assert rendered(text) == "<namespace>"


@settings(max_examples=150, deadline=2000)
@given(st.text(alphabet="{}%#-| ()[]'abn.*0+~,=:", max_size=60))
def test_whatever_is_typed_ends_in_a_text_or_in_a_fault(source: str) -> None:
    try:
        ended = isinstance(rendered(source), str)
    except FaultyError as error:
        ended = all(fault.line >= 1 and fault.message for fault in error.faults)
    assert ended


def test_rendering_is_at_least_four_fifths_as_quick_as_plain_jinja() -> None:
    source = (
        "{{ n }} bricks, {% if person.first_name %}{{ person.first_name }}{% endif %} built it.\n"
        "{% for part in ['wall', 'gate', 'roof'] %}{{ loop.index }}. {{ part|capitalize }} {% endfor %}"
        "{{ link }} {{ word|upper }}"
    )
    plain = Environment(autoescape=False).from_string(source)
    ours = compile_template(source, KNOWN)
    assert plain.render(VALUES) == ours.render(VALUES)
    ratio = max(
        _seconds(lambda: plain.render(VALUES)) / _seconds(lambda: ours.render(VALUES)) for _ in range(6)
    )
    assert ratio >= 0.8


def _seconds(run: object) -> float:
    assert callable(run)
    start = time.process_time()
    for _ in range(1500):
        run()
    return time.process_time() - start


# ---- pictures ---------------------------------------------------------------------------------

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}">{inside}</svg>'


@pytest.mark.parametrize(
    ("svg", "why"),
    [
        (SVG.format(w=99999, h=99999, inside=""), "whole pixels"),
        (SVG.format(w=4096, h=4096, inside=""), "pixels"),
        (SVG.format(w="10%", h=5, inside=""), "whole pixels"),
        (SVG.format(w=9, h=9, inside='<image href="file:///etc/passwd"/>'), "no picture of this pack"),
        (
            SVG.format(w=9, h=9, inside='<image xlink:href="x" xmlns:xlink="http://www.w3.org/1999/xlink"/>'),
            "no pic",
        ),
        (SVG.format(w=9, h=9, inside='<use href="#a"/>'), "<use> cannot"),
        (SVG.format(w=9, h=9, inside="<script/>"), "<script> cannot"),
        (SVG.format(w=9, h=9, inside='<path stroke-dasharray="0.0001"/>'), "dashes"),
        ('<!DOCTYPE a [<!ENTITY a "b">]>' + SVG.format(w=9, h=9, inside="&a;"), "document type"),
        (SVG.format(w=9, h=9, inside="<g/>" * 4000), "at most"),
        ("<svg", "well-formed"),
        ("<html/>", "<svg>"),
    ],
)
def test_a_card_that_reads_files_or_fills_the_memory_is_refused(svg: str, why: str) -> None:
    with pytest.raises(picture.PictureError, match=why):
        picture.draw(svg, {}, Path("none"))


def test_a_card_may_show_the_pictures_of_its_pack() -> None:
    svg = SVG.format(w=9, h=9, inside='<image href="a.png" width="9" height="9"/>')
    assert picture.kind(picture.draw(svg, {"a.png": PNG}, Path("none"))) == "image/png"


@pytest.mark.parametrize(
    ("data", "type_"),
    [(b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif"), (b"RIFF0000WEBP", "image/webp"),
     (b"0000ftypisom", "video/mp4"), (b"0000ftypqt  ", "video/quicktime")],
)  # fmt: skip
def test_pictures_are_told_by_how_they_begin(data: bytes, type_: str) -> None:
    assert picture.kind(data) == type_


@pytest.mark.parametrize("brand", [b"heic", b"avif", b"M4A "])
def test_a_phones_photo_or_sound_in_the_boxes_of_a_video_is_none(brand: bytes) -> None:
    with pytest.raises(picture.PictureError, match="MP4 or QuickTime"):
        picture.kind(b"0000ftyp" + brand)


# ---- check ------------------------------------------------------------------------------------


def test_a_sound_pack_has_no_problems(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "castle") == []


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    broken = PACK.replace('alt: "A castle with a {{ colour }} roof"', 'alt: ""')
    broken = broken.replace("2026-12-31", "2026-10-31").replace(
        "https://shop.example", "https://evil.example"
    )
    broken = broken.replace("channels: [mastodon,", "channels: [mastodn,")
    said = problems_of(tmp_path / "castle", pack_yaml=broken, story_j2="{{ 'long ' * 100 }}{{ link }}")
    assert [line.split(": ", 1) for line in said] == [
        ["content/castle/pack.yaml:4:9", "the rights have expired on 2026-10-31"],
        ["content/castle/pack.yaml:5:12", "no channel is called 'mastodn'; did you mean 'mastodon'?"],
        ["content/castle/pack.yaml:6:7", "'https://evil.example/castle' is at no domain of brand.yaml "
                                         "(links: domains: shop.example)"],
        ["content/castle/pack.yaml:11:11", "picture 'castle' has no alt text: say what it shows"],
        ["content/castle/story.j2:1:1", "on bluesky, with sample 'defaults': text is 533 graphemes long, "
                                        "233 over the limit of 300"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("granted: 2026-01-01", "granted: withheld", "Juniper has withheld the rights"),
        ("granted: 2026-01-01", "granted: 2026-11-02", "not yet on 2026-11-01"),
        ("expires: 2026-12-31", "expires: 2026-10-31", "expired on 2026-10-31"),
        ("rights: {", "# {", "no rights are stated"),
        ("expires: 2026-12-31", "expires: someday", "'someday' is no date"),
        ("file: media/castle.png", "file: media/castel.png", "did you mean 'media/castle.png'"),
        ("file: media/castle.png", "file: ../../secret.png", "lies outside the pack"),
        ("file: card.svg.j2", "file: crad.svg.j2", "did you mean 'card.svg.j2'"),
        ("media: [castle]", "media: [castel]", "no media 'castel'; did you mean 'castle'"),
        ("{{ pieces }} bricks", "{{ peices }} bricks", "no value 'peices'; did you mean 'pieces'"),
        ("  pieces:", "  link:", "'link' is given to every template"),
        ("kind: fan-made", "kind: fan-mad", "did you mean 'fan-made'"),
        ("type: number", "type: nummer", "did you mean 'number'"),
        ('default: "1200"', 'default: "many"', "'many' is no number"),
        ("choices: [red, teal], ", "", "choices belong to the type choice"),
        ("  story: {", "  stary: {", "no file 'stary.j2'; did you mean 'story.j2'"),
        (', subject: "{{ pieces }} bricks"', "", "email needs a subject"),
        ("title: A castle", "titel: A castle", "did you mean 'title'"),
        ("media: [castle],", "media: [castle], channels: [fax],", "the pack is not made for 'fax'"),
    ],
)
def test_each_mistake_in_pack_yaml_is_told(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in PACK
    said = problems_of(tmp_path / "castle", pack_yaml=PACK.replace(old, new, 1))
    assert any(why in line for line in said), said
    assert all(line.startswith("content/castle/") for line in said)


def test_rights_hold_on_their_last_day_and_not_after(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle")
    assert content.check(pack, LIMITS, replace(AROUND, today=date(2026, 12, 31))) == []
    assert content.check(pack, LIMITS, replace(AROUND, today=date(2027, 1, 1)))


def test_a_syntax_error_is_told_at_its_line_beside_everything_else(tmp_path: Path) -> None:
    said = problems_of(
        tmp_path / "castle",
        story_j2="one\ntwo {{ pieces\n",
        note_j2="{{ nmae }}\n{{ person.frist_name|uper }}",
    )
    assert said == [
        "content/castle/note.j2:1:4: there is no value 'nmae'",
        "content/castle/note.j2:2:11: person has no 'frist_name'; did you mean 'first_name'?",
        "content/castle/note.j2:2:22: there is no filter 'uper'; did you mean 'upper'?",
        "content/castle/story.j2:2:5: unexpected end of template, expected 'end of print statement'.",
    ]


def test_a_file_nobody_declared_is_a_problem(tmp_path: Path) -> None:
    said = problems_of(tmp_path / "castle", stories_j2="x", story_fax_j2="y")
    assert any("stories.j2:1:1: no template" in s and "did you mean 'story.j2'" in s for s in said)
    assert any("story.fax.j2:1:1: no template" in s for s in said)


def test_a_picture_that_is_none_and_a_text_that_is_no_text_are_problems(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "castle")
    (folder / "media" / "castle.png").write_text("no picture")
    (folder / "story.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(CheckError, match="is no PNG") as caught:
        content.load(folder)
    assert "not UTF-8" in str(caught.value)


def test_samples_are_held_against_the_variables_and_the_limits(tmp_path: Path) -> None:
    samples = (
        "samples:\n- sample: plain\n- sample: odd\n  with: {peices: 3}\n- sample: big\n  with: {pieces: x}\n"
    )
    said = problems_of(tmp_path / "castle", samples_yaml=samples)
    assert said == [
        "content/castle/samples.yaml:4:18: pack 'castle' has no variable 'peices'; did you mean 'pieces'?",
        "content/castle/samples.yaml:6:18: pieces: 'x' is no number",
    ]


def test_a_variable_without_default_needs_a_sample(tmp_path: Path) -> None:
    open_ = PACK.replace('default: "1200", ', "")
    assert any("has no value: give it a default" in s for s in problems_of(tmp_path / "a", pack_yaml=open_))
    samples = "samples:\n- sample: one\n  with: {pieces: 3}\n"
    assert problems_of(tmp_path / "b", pack_yaml=open_, samples_yaml=samples) == []


def test_a_card_that_cannot_be_drawn_is_told_at_its_file(tmp_path: Path) -> None:
    said = problems_of(tmp_path / "castle", card_svg_j2=CARD.replace("media/castle.png", "media/other.png"))
    assert said == [
        "content/castle/card.svg.j2:1:1: shows 'media/other.png', which is no picture of this pack"
    ]


def test_limits_decide_and_a_text_of_exactly_the_limit_fits(tmp_path: Path) -> None:
    pack = load(tmp_path / "castle", story_j2="{{ 'x' * 300 }}", note_j2=NOTE)
    assert content.check(pack, LIMITS, AROUND) == []
    tight = LIMITS | {"bluesky": limits(299)}
    assert "1 over the limit of 299" in str(content.check(pack, tight, AROUND)[0])


def test_all_packs_of_a_folder_are_read_and_all_their_problems_told(tmp_path: Path) -> None:
    write_pack(tmp_path / "good")
    write_pack(tmp_path / "bad", story_j2="{{ x }}")
    write_pack(tmp_path / "worse", pack_yaml="")
    packs, problems = content.survey(tmp_path)
    assert {name: pack is not None for name, pack in packs.items()} == {
        "good": True,
        "bad": False,
        "worse": False,
    }
    assert {p.file for p in problems} == {"content/bad/story.j2", "content/worse/pack.yaml"}
    with pytest.raises(CheckError):
        content.load_all(tmp_path)

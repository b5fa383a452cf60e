"""(pack, template, channel, values, context) -> one Post, and the check that every such Post will do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from connectors.base import Capabilities, Media, Post
from orchestrator import links
from orchestrator.content import picture
from orchestrator.content.fetched import faults, prepare
from orchestrator.content.language import Fault, Person
from orchestrator.content.pack import Pack, Picture
from orchestrator.content.picture import PictureError
from orchestrator.content.written import Sample
from orchestrator.documents import suggest
from orchestrator.errors import CheckError, Problem


@dataclass(frozen=True)
class Context:
    """What every template is given beside its variables; the person fields are empty in a public post."""

    brand: str
    link: str = ""
    person_name: str = ""
    first_name: str = ""
    person_tier: str = ""
    language: str = ""
    currency: str = ""


def render(pack: Pack, template: str, channel: str, values: Mapping[str, object], context: Context) -> Post:
    """Render one template for one channel; raises `CheckError` at the line that does not work.

    The post's `link` is set only where text or subject show it; `to` and `unsubscribe` are the caller's.
    """
    if template not in pack.templates:
        raise CheckError(pack.problem(("templates",), f"there is no template {template!r}"
                                      f"{suggest(template, pack.templates)}"))  # fmt: skip
    names = _names(values, context)
    if channel not in pack.made_for(template):
        raise CheckError(pack.problem(("templates", template), f"is not made for {channel!r}"))
    text = _tidy(pack.text(template, channel).render(names))
    subject = pack.subjects[template].render(names).strip() if template in pack.subjects else ""
    media = tuple(_media(pack, pack.pictures[name], names) for name in pack.templates[template].media)
    shown = context.link if context.link and context.link in f"{text} {subject}" else ""
    return Post(text=text, media=media, language=context.language, subject=subject, link=shown)


def _names(values: Mapping[str, object], context: Context) -> dict[str, object]:
    person = Person(context.person_name, context.first_name, context.person_tier)
    given = {"brand": context.brand, "link": context.link, "language": context.language}
    return {**values, **given, "currency": context.currency, "person": person}


def _tidy(text: str) -> str:
    """Cut the white space that templates leave at the ends of lines and of the whole."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _media(pack: Pack, each: Picture, names: Mapping[str, object]) -> Media:
    alt, written = " ".join(each.alt.render(names).split()), pack.file.media[each.name]
    fit = written.fit == "yes"
    if each.drawn is None:
        name = written.file.rpartition("/")[2]
        return Media(name, picture.kind(each.data), alt, each.data, fit=fit)
    svg = each.drawn.render(names)
    try:
        data = picture.draw(svg, pack.stills(), pack.folder / "fonts")
    except PictureError as error:
        raise CheckError(each.drawn.place(Fault(1, 1, str(error)))) from error
    return Media(f"{each.name}.png", "image/png", alt, data, fit=fit)


# ---- check ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surroundings:
    """What a check needs to know of the brand: link domains, the day rights are held against."""

    brand: str
    public_url: str
    domains: tuple[str, ...]
    today: date
    language: str = ""
    currency: str = ""


def check(pack: Pack, limits: Mapping[str, Capabilities], around: Surroundings) -> list[Problem]:
    """Hold every template x its channels x every sample against declared limits; name every problem."""
    found = [*_rights(pack, around.today), *_words(pack, around), *_channels(pack, limits)]
    for sample, values in _looks(pack, found):
        for template in pack.templates:
            for channel in pack.made_for(template):
                if channel in limits:
                    found += _fit(_Look(pack, template, channel, sample), values, limits[channel], around)
    return sorted(set(found))


def _rights(pack: Pack, today: date) -> Iterator[Problem]:
    if pack.rights is None:
        yield pack.problem(("rights",), "no rights are stated: owner, terms, granted, expires, proof")
    elif pack.rights.problem(today):
        yield pack.problem(("rights",), pack.rights.problem(today))


def _words(pack: Pack, around: Surroundings) -> Iterator[Problem]:
    for name, each in pack.file.media.items():
        if not each.alt.strip():
            yield pack.problem(("media", name), f"picture {name!r} has no alt text: say what it shows")
    if pack.link and not links.allowed(pack.link, around.domains):
        allowed = ", ".join(around.domains) or "none"
        yield pack.problem(
            ("link",), f"{pack.link!r} is at no domain of brand.yaml (links: domains: {allowed})"
        )


def _channels(pack: Pack, limits: Mapping[str, Capabilities]) -> Iterator[Problem]:
    for i, channel in enumerate(pack.channels):
        if channel not in limits:
            yield pack.problem(("channels", i), f"no channel is called {channel!r}{suggest(channel, limits)}")
            continue
        for template in pack.templates if limits[channel].subject else ():
            if template not in pack.subjects and channel in pack.made_for(template):
                yield pack.problem(("templates", template), f"{channel} needs a subject")


def _looks(pack: Pack, found: list[Problem]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield each sample with its typed values; what is wrong with one is added to `found`."""
    for i, sample in enumerate(pack.samples or (Sample(sample="defaults"),)):
        wrong = list(pack.misfits(sample.values))
        found += [_misfit(pack, i, name, message) for name, message in wrong]
        if not wrong:
            yield sample.sample, pack.fill(sample.values)


def _misfit(pack: Pack, i: int, name: str, message: str) -> Problem:
    if not pack.written_samples:
        return pack.problem(("variables",), f"{message}: give it a default, or a sample in samples.yaml")
    at = ("samples", i, "with", name) if name else ("samples", i)
    return pack.written_samples.problem(at, message)


@dataclass(frozen=True)
class _Look:
    pack: Pack
    template: str
    channel: str
    sample: str


def _fit(
    look: _Look, values: Mapping[str, object], limits: Capabilities, around: Surroundings
) -> Iterator[Problem]:
    link = links.url(around.public_url, "a" * links.CODE_LENGTH) if look.pack.link else ""
    context = Context(around.brand, link, language=around.language, currency=around.currency)
    if limits.personal:
        context = replace(context, person_name="Ada Example", first_name="Ada", person_tier="lead-users")
    try:
        post = render(look.pack, look.template, look.channel, values, context)
    except CheckError as error:
        yield from error.problems
        return
    # A missing alt text or subject is told once, at its own place, by the checks above.
    post = replace(post, to="ada@example.com" if limits.personal else "", subject=post.subject or "-")
    post = replace(post, media=tuple(replace(m, alt=m.alt or "-") for m in post.media))
    post = prepare(post, limits, around.public_url)
    for message in faults(post, limits):
        place = look.pack.text(look.template, look.channel).place(Fault(1, 1, ""))
        yield replace(place, message=f"on {look.channel}, with sample {look.sample!r}: {message}")

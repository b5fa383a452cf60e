"""The grammars of brand.yaml, playbooks and packs -> their pages."""

from docs.pages.markdown import page
from docs.pages.models import sections
from orchestrator.brand import BrandFile
from orchestrator.content.language import METHODS, TESTS
from orchestrator.content.written import PackFile, SamplesFile
from orchestrator.playbook.grammar import Playbook

_EVERYWHERE = """
An unknown key is an error, and every problem is told at once with its line and column by [`orchestrator
check`](commands.md#check). Durations are written `30m`, `2h`, `3d` or `1w`.
"""


def brand() -> str:
    """Write the page of brand.yaml."""
    intro = f"What a brand says about itself, once for everything.\n{_EVERYWHERE.strip()}"
    more = "The technical times of `outbox` may be written in seconds too (`30s`)."
    return page("brand.yaml", f"{intro} {more}", *sections(BrandFile))


def playbook() -> str:
    """Write the page of playbooks."""
    intro = f"""
`playbooks/NAME.yaml`, read from top to bottom: why, who, under which rules, what. {_EVERYWHERE.strip()}
Times are in the brand's zone. Editors that know JSON Schema complete and check a playbook that begins with
`# yaml-language-server: $schema=schema.json`. See [write a playbook](../how-to/write-a-playbook.md).
"""
    return page("Playbooks", intro, *sections(Playbook))


def pack() -> str:
    """Write the page of packs."""
    intro = f"""
A pack is a folder in `content/`: `pack.yaml`, a text `NAME.j2` for each template (and `NAME.CHANNEL.j2`
where a channel needs its own), pictures, and `samples.yaml`. {_EVERYWHERE.strip()} See [write a
pack](../how-to/write-a-pack.md).
"""
    samples = "## samples.yaml\n\n" + "\n\n".join(sections(SamplesFile)).replace("## At the top\n\n", "")
    return page("Packs", intro, *sections(PackFile), samples, _templates())


def _templates() -> str:
    return f"""
## Templates

Texts, subjects, alt texts and drawings (`NAME.svg.j2`) are Jinja templates in a sandbox. They know the
pack's variables, `brand`, `link` (the tracked link), `language`, `currency`, and in a personal message
`person.name`, `person.first_name` and `person.tier`. A name that does not exist is an error, and so is a
template that takes too long or grows too large.

Filters: {_filters()}. Tests: {_words(TESTS.split())}. Methods of text: {_words(METHODS.split())}.
"""


def _filters() -> str:
    from orchestrator.content import filters

    return _words(sorted(filters.catalogue()))


def _words(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)

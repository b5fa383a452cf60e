"""One folder of shareable content in memory: checked words, compiled templates, pictures."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import documents
from orchestrator.content.language import Compiled, Fault, FaultyError
from orchestrator.content.written import PackFile, Rights, Sample, SamplesFile, TemplateFile, Value, Variable
from orchestrator.documents import Loaded, suggest
from orchestrator.errors import CheckError, Problem


@dataclass(frozen=True)
class Source:
    """One compiled template and where its faults are to be shown."""

    compiled: Compiled
    place: Callable[[Fault], Problem] = field(repr=False)

    def render(self, names: Mapping[str, object]) -> str:
        """Render; raises `CheckError` at the template's line."""
        try:
            return self.compiled.render(names)
        except FaultyError as error:
            raise CheckError.of(self.place(fault) for fault in error.faults) from error


@dataclass(frozen=True)
class Picture:
    """One picture of a pack: bytes as they are, or a template that is drawn for each reader."""

    name: str
    alt: Source
    data: bytes = field(default=b"", repr=False)
    drawn: Source | None = None


@dataclass(frozen=True)
class Pack:
    """One folder of shareable content, ready to render."""

    name: str
    folder: Path
    shown: str
    file: PackFile
    texts: Mapping[tuple[str, str], Source] = field(repr=False)  # (template, channel or "")
    subjects: Mapping[str, Source] = field(repr=False)
    pictures: Mapping[str, Picture] = field(repr=False)
    loaded: Loaded[PackFile] = field(repr=False)
    written_samples: Loaded[SamplesFile] | None = field(default=None, repr=False)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Return the value sets to look at it with."""
        return self.written_samples.value.samples if self.written_samples else ()

    @property
    def title(self) -> str:
        """Return what people call it."""
        return self.file.title

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the channels it is made for."""
        return self.file.channels

    @property
    def templates(self) -> Mapping[str, TemplateFile]:
        """Return its texts by name."""
        return self.file.templates

    @property
    def variables(self) -> Mapping[str, Variable]:
        """Return what its templates leave open."""
        return self.file.variables

    @property
    def link(self) -> str:
        """Return where its tracked link leads, "" for nowhere."""
        return self.file.link

    @property
    def rights(self) -> Rights | None:
        """Return whose work this is and what was allowed, None where nobody said."""
        return self.file.rights

    def made_for(self, template: str) -> tuple[str, ...]:
        """Return the channels a template may be used on; of an unknown one, those of the pack."""
        own = self.templates[template].channels if template in self.templates else ()
        return own or self.channels

    def text(self, template: str, channel: str) -> Source:
        """Choose the channel's own text where there is one."""
        return self.texts.get((template, channel)) or self.texts[(template, "")]

    def problem(self, location: documents.Location, message: str) -> Problem:
        """Say something about a place in pack.yaml."""
        return self.loaded.problem(location, message)

    def stills(self) -> dict[str, bytes]:
        """Return the picture files a card may show, by their path in the pack."""
        return {self.file.media[n].file: p.data for n, p in self.pictures.items() if p.data}

    def fill(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Turn written values into typed ones, defaults included; `CheckError` with all that does not fit."""
        problems = [self.problem(("variables",), message) for _, message in self.misfits(values)]
        if problems:
            raise CheckError.of(problems)
        written = {n: v.default for n, v in self.variables.items() if v.default is not None} | dict(values)
        return {n: self.variables[n].read(str(value)) for n, value in written.items()}

    def misfits(self, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Yield (variable, what is wrong with its value) for unknown, missing and ill-typed ones."""
        for name, value in values.items():
            if name not in self.variables:
                yield name, f"pack {self.name!r} has no variable {name!r}{suggest(name, self.variables)}"
                continue
            try:
                self.variables[name].read(str(value))
            except ValueError as error:
                yield name, f"{name}: {error}"
        for name, variable in self.variables.items():
            if variable.default is None and name not in values:
                yield "", f"variable {name!r} ({variable.meaning}) has no value"

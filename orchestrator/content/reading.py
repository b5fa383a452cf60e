"""A pack folder -> a Pack, or every problem that shows without rendering."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator import documents
from orchestrator.content import picture
from orchestrator.content.language import Compiled, Fault, FaultyError, Known, Person, compile_template
from orchestrator.content.pack import Pack, Picture, Source
from orchestrator.content.written import PackFile, SamplesFile
from orchestrator.documents import Loaded, Location, suggest
from orchestrator.errors import CheckError, Problem

FILE, SAMPLES, SUFFIX, DRAWN = "pack.yaml", "samples.yaml", ".j2", ".svg.j2"
GIVEN = frozenset({"brand", "link", "person", "language", "currency"})
FIELDS = {"person": frozenset(Person.__dataclass_fields__)}


def load(folder: Path, shown: str = "") -> Pack:
    """Read a pack folder; raises `CheckError` with every problem that shows without rendering."""
    return _Reader(folder, shown or str(folder)).pack()


def load_all(folder: Path, shown: str = "content") -> dict[str, Pack]:
    """Read every pack of a content folder by name; raises `CheckError` with the problems of all of them."""
    packs, problems = survey(folder, shown)
    if problems:
        raise CheckError.of(problems)
    return {name: pack for name, pack in packs.items() if pack}


def survey(folder: Path, shown: str = "content") -> tuple[dict[str, Pack | None], tuple[Problem, ...]]:
    """Read every pack, None where it is broken, so that a playbook naming a broken one can be read."""
    packs: dict[str, Pack | None] = {}
    problems: list[Problem] = []
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not each.is_dir() or each.name.startswith("."):
            continue
        try:
            packs[each.name] = load(each, f"{shown}/{each.name}")
        except CheckError as error:
            packs[each.name] = None
            problems.extend(error.problems)
    return packs, tuple(problems)


class _Reader:
    """Reads one folder and gathers its problems."""

    def __init__(self, folder: Path, shown: str) -> None:
        self.folder, self.shown = folder, shown
        self.problems: list[Problem] = []
        self.known: Known | None = None  # which names templates may use; None if pack.yaml could not be read

    def pack(self) -> Pack:
        loaded = self._written()
        texts = {path.name: self._file(path) for path in sorted(self.folder.glob("*" + SUFFIX))}
        samples = self._samples()
        pack = self._assemble(loaded, samples, texts) if loaded else None
        if pack is None or self.problems:
            raise CheckError.of(self.problems)
        return pack

    def _written(self) -> Loaded[PackFile] | None:
        try:
            loaded = documents.load(self.folder / FILE, PackFile, f"{self.shown}/{FILE}")
        except CheckError as error:
            self.problems.extend(error.problems)
            return None
        names = frozenset(loaded.value.variables)
        self.known = Known(names | GIVEN, FIELDS)
        for name in sorted(names & GIVEN):
            self._tell(
                loaded, ("variables", name), f"{name!r} is given to every template; choose another name"
            )
        return loaded

    def _samples(self) -> Loaded[SamplesFile] | None:
        path = self.folder / SAMPLES
        if not path.exists():
            return None
        try:
            return documents.load(path, SamplesFile, f"{self.shown}/{SAMPLES}")
        except CheckError as error:
            self.problems.extend(error.problems)
            return None

    # ---- templates ----------------------------------------------------------------------------

    def _file(self, path: Path) -> Source | None:
        shown = f"{self.shown}/{path.name}"

        def place(fault: Fault) -> Problem:
            return Problem(shown, fault.line, fault.column, fault.message)

        try:
            return Source(self._compile(path.read_text("utf-8-sig"), path.name.endswith(DRAWN)), place)
        except FaultyError as error:
            self.problems.extend(map(place, error.faults))
        except UnicodeDecodeError:
            self.problems.append(Problem(shown, 1, 1, "is not UTF-8 text"))
        return None

    def _line(self, loaded: Loaded[PackFile], location: Location, text: str) -> Source | None:
        """Compile a one-line template that stands in pack.yaml."""

        def place(fault: Fault) -> Problem:
            return loaded.problem(location, fault.message)

        try:
            return Source(self._compile(text, picture=False), place)
        except FaultyError as error:
            self.problems.extend(map(place, error.faults))
            return None

    def _compile(self, text: str, picture: bool) -> Compiled:
        return compile_template(text, self.known, picture)

    # ---- putting it together ------------------------------------------------------------------

    def _assemble(
        self,
        loaded: Loaded[PackFile],
        samples: Loaded[SamplesFile] | None,
        files: Mapping[str, Source | None],
    ) -> Pack:
        written = loaded.value
        texts = {}
        for name in written.templates:
            for channel in ("", *written.channels):
                source = files.get(f"{name}.{channel}{SUFFIX}" if channel else f"{name}{SUFFIX}")
                if source:
                    texts[(name, channel)] = source
        subjects = {
            name: self._line(loaded, ("templates", name, "subject"), each.subject)
            for name, each in written.templates.items()
            if each.subject
        }
        pictures = {name: self._picture(loaded, name, files) for name in written.media}
        self._references(loaded, files)
        return Pack(
            name=self.folder.name,
            folder=self.folder,
            shown=self.shown,
            file=written,
            texts=texts,
            subjects={name: source for name, source in subjects.items() if source},
            pictures={name: each for name, each in pictures.items() if each},
            loaded=loaded,
            written_samples=samples,
        )

    def _picture(
        self, loaded: Loaded[PackFile], name: str, files: Mapping[str, Source | None]
    ) -> Picture | None:
        """Read or compile one picture; None, with the problem told, where that does not work."""
        written = loaded.value.media[name]
        alt = self._line(loaded, ("media", name, "alt"), written.alt)
        at: Location = ("media", name, "file")
        if "\n" in written.alt:
            self._tell(loaded, ("media", name, "alt"), "an alt text is one line")
        if written.file.endswith(DRAWN):
            if written.file not in files:
                self._tell(loaded, at, f"there is no file {written.file!r}{suggest(written.file, files)}")
                return None
            drawn = files[written.file]
            return Picture(name, alt, drawn=drawn) if alt and drawn else None
        data = self._bytes(loaded, at, written.file)
        return Picture(name, alt, data=data) if alt and data else None

    def _bytes(self, loaded: Loaded[PackFile], at: Location, file: str) -> bytes | None:
        path = (self.folder / file).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            self._tell(loaded, at, f"{file!r} lies outside the pack")
            return None
        if not path.is_file():
            there = [str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file()]
            self._tell(loaded, at, f"there is no file {file!r}{suggest(file, there)}")
            return None
        data = path.read_bytes()
        try:
            picture.kind(data)
        except picture.PictureError as error:
            self._tell(loaded, at, f"{file!r} {error}")
            return None
        return data

    def _references(self, loaded: Loaded[PackFile], files: Mapping[str, Source | None]) -> None:
        """Hold names in pack.yaml and names of files against each other."""
        written = loaded.value
        expected = {each.file for each in written.media.values()}
        for name, each in written.templates.items():
            own = {f"{name}.{channel}{SUFFIX}" for channel in each.channels or written.channels}
            expected |= own | {f"{name}{SUFFIX}"}
            if f"{name}{SUFFIX}" not in files and not own <= files.keys():
                message = f"there is no file {name + SUFFIX!r}{suggest(name + SUFFIX, files)}"
                self._tell(loaded, ("templates", name), message)
            for i, channel in enumerate(each.channels):
                if channel not in written.channels:
                    message = f"the pack is not made for {channel!r}{suggest(channel, written.channels)}"
                    self._tell(loaded, ("templates", name, "channels", i), message)
            for i, media in enumerate(each.media):
                if media not in written.media:
                    message = f"there is no media {media!r}{suggest(media, written.media)}"
                    self._tell(loaded, ("templates", name, "media", i), message)
        for file in sorted(files.keys() - expected):
            message = (
                f"no template, channel or media of {FILE} uses this file{suggest(file, sorted(expected))}"
            )
            self.problems.append(Problem(f"{self.shown}/{file}", 1, 1, message))

    def _tell(self, loaded: Loaded[PackFile], at: Location, message: str) -> None:
        self.problems.append(loaded.problem(at, message))

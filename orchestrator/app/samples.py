"""The brand that ships with the product -> a folder of one's own, whole or as a small beginning."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import ConflictError, OutsideError

PARTS = ("brand.yaml", "playbooks", "content", "sample")
_PACKAGE = Path(__file__).parents[1]
_BEGINNING = _PACKAGE / "app" / "beginning"


def sample() -> Path:
    """Return the sample brand: inside an installed package, or the repository itself."""
    inside = _PACKAGE / "_sample"
    return inside if inside.is_dir() else _PACKAGE.parent


def copy_sample(folder: Path) -> None:
    """Put the sample brand into a folder; a state that a former copy left there is thrown away."""
    with_state = folder / ".orchestrator"
    for each in (with_state, *(folder / part for part in PARTS)):
        _remove(each)
    _copy(sample(), PARTS, folder)


def begin(folder: Path) -> None:
    """Make a new brand folder that passes `check`; raises `ConflictError` where there is one already."""
    if (folder / "brand.yaml").exists():
        raise ConflictError(f"There is a brand in {folder} already; nothing was changed.")
    _copy(_BEGINNING, (each.name for each in sorted(_BEGINNING.iterdir())), folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, names: Iterable[str], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if (source / name).is_dir():
                shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
            else:
                shutil.copy(source / name, folder / name)
    except OSError as error:
        raise OutsideError(f"{folder} cannot be filled: {error.strerror}") from error

"""Code -> the reference pages and the playbooks' schema: `python -m docs.generate [FOLDER]`."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.pages import commands, connectors, errors, files, settings, statuses, yaml
from orchestrator import playbook

ROOT = Path(__file__).parents[1]


def _schema() -> str:
    return json.dumps(playbook.schema(), indent=2, ensure_ascii=False) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/brand.md": yaml.brand,
    "docs/reference/commands.md": commands.write,
    "docs/reference/connectors.md": connectors.write,
    "docs/reference/errors.md": errors.write,
    "docs/reference/files.md": files.write,
    "docs/reference/pack.md": yaml.pack,
    "docs/reference/playbook.md": yaml.playbook,
    "docs/reference/settings.md": settings.write,
    "docs/reference/statuses.md": statuses.write,
    "playbooks/schema.json": _schema,
}


def generate(root: Path) -> list[Path]:
    """Write every generated file below a folder; return where they are."""
    made = []
    for name, write in PAGES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write(), encoding="utf-8")
        made.append(path)
    return made


if __name__ == "__main__":
    for path in generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT):
        print(path)

"""The environment's settings -> their page."""

from docs.pages.markdown import code, page, table
from orchestrator.brand import SETTINGS

_INTRO = """
What belongs to the brand stands in [brand.yaml](brand.md); what belongs to the machine is said in the
environment. DIR is the brand's folder.
"""


def write() -> str:
    """Write the page."""
    rows = [(code(each.name), each.default, each.meaning) for each in SETTINGS]
    return page("Settings of the environment", _INTRO, table(("Variable", "Default", "Meaning"), rows))

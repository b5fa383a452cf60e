"""What is said: a folder of shareable content -> one finished Post for each channel and reader."""

from orchestrator.content.fetched import addressed, faults, prepare
from orchestrator.content.pack import Pack
from orchestrator.content.reading import load, load_all, survey
from orchestrator.content.rendering import Context, Surroundings, check, render

__all__ = [
    "Context",
    "Pack",
    "Surroundings",
    "addressed",
    "check",
    "faults",
    "load",
    "load_all",
    "prepare",
    "render",
    "survey",
]

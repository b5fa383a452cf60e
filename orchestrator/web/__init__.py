"""Doors on the web: the public's and the colleagues' on one address, parsed and handed to the app."""

from orchestrator.web.joined import build
from orchestrator.web.serving import bind, running, serve

__all__ = ["bind", "build", "running", "serve"]

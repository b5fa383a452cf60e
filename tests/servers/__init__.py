"""Real servers for the tests: installed once into a cache, started on loopback, stopped at the end."""

from tests.servers.cache import ServerMissing

__all__ = ["ServerMissing"]

"""Debian packages: installed system-wide where the session is root, or unpacked into the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers.cache import ServerMissing, locked, need_tools, run

POLICY = Path("/usr/sbin/policy-rc.d")


def install(*packages: str) -> None:
    """Install packages system-wide; ServerMissing unless this is root on a machine with apt-get."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerMissing(f"{packages[0]} is not installed, and only root with apt-get could install it")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "-y", "-q", "install", "--no-install-recommends", *packages]
    with locked("apt"), _no_services():
        run("apt-get update", ["apt-get", "-q", "update"], env=env)
        run(f"apt-get install {packages[0]}", argv, env=env)


@contextmanager
def _no_services() -> Iterator[None]:
    """Keep Debian from starting system-wide services: the tests bring their own configuration and ports."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            POLICY.unlink()


def unpack(package: str, release: str, target: Path) -> None:
    """Unpack a package of another Debian release into TARGET, from the mirror that this machine uses."""
    need_tools(package, "apt-get", "dpkg")
    work = target / ".apt"
    env = {"APT_CONFIG": str(_private_apt(work, _mirror(), release))}
    run(f"apt-get update for {release}", ["apt-get", "-q", "update"], work, env)
    run(f"apt-get download {package}", ["apt-get", "-q", "download", package], work, env)
    run(f"unpacking {package}", ["dpkg", "-x", next(work.glob(f"{package}_*.deb")), target])
    shutil.rmtree(work)


def _private_apt(work: Path, mirror: str, release: str) -> Path:
    """Write an apt configuration that touches neither the machine's lists nor its sources."""
    for part in ("lists/partial", "cache/archives/partial"):
        (work / part).mkdir(parents=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (work / "sources.list").write_text(f"deb [signed-by={keys}] {mirror} {release} main\n")
    config = work / "apt.conf"
    config.write_text(
        f'Dir::State::lists "{work}/lists";\nDir::Cache "{work}/cache";\n'
        f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'APT::Sandbox::User "{"root" if os.geteuid() == 0 else ""}";\n'
    )
    return config


def _mirror() -> str:
    """Ask apt which address this machine takes Debian itself from."""
    form = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)"
    lines = run("apt-get indextargets", ["apt-get", "indextargets", "--format", form]).split("\n")
    for origin, address, suite in (line.split("|") for line in lines if line.count("|") == 2):
        if origin == "Debian" and "security" not in suite:
            return address
    raise ServerMissing("no Debian mirror is configured on this machine")

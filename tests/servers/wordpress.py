"""A real WordPress: Debian's, on PHP's own web server and a private MariaDB."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.servers import apt
from tests.servers.cache import Part, ServerMissing
from tests.servers.process import Daemon, Launch, free_port

HOME = Path("/usr/share/wordpress")
PROGRAMS = ("/usr/bin/php", "/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db", str(HOME / "wp-load.php"))
PACKAGES = (
    "wordpress", "wordpress-theme-twentytwentythree", "php-cli", "php-mysql", "php-gd", "php-curl", "php-xml",
    "php-mbstring", "mariadb-server",
)  # fmt: skip
KEEPER = "mysql"
USER = "admin"
SECONDS = 30
WORKERS = "4"


def _present() -> bool:
    return all(Path(path).exists() for path in PROGRAMS)


def _install() -> None:
    if not _present():
        apt.install(*PACKAGES)


PARTS = (
    Part(
        "WordPress + PHP + MariaDB (apt)",
        "the system's",
        "37 MB, 320 MB on disk",
        lambda: "the system (as root)",
        _present,
        _install,
    ),
)


@dataclass(frozen=True)
class WordPress:
    """A running site with one administrator, who has an application password."""

    url: str
    user: str
    password: str = field(repr=False)
    data: Path
    daemons: tuple[Daemon, Daemon]

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Call the REST API as the administrator and return its JSON; the path begins behind /wp-json."""
        auth = (self.user, self.password)
        address = f"{self.url}/wp-json{path}"
        answer = requests.request(method, address, auth=auth, timeout=SECONDS, **request)
        answer.raise_for_status()
        return answer.json()

    def add_author(self, name: str) -> tuple[str, str]:
        """Add a user with the role of an author; return the name and an application password."""
        made = f"$id = wp_create_user('{name}', 'pw'); (new WP_User($id))->set_role('author');"
        key = "WP_Application_Passwords::create_new_application_password($id, ['name' => 'tests'])"
        return name, self.run(f"{made} echo {key}[0];")

    def posts(self, status: str = "any") -> list[dict[str, Any]]:
        """Return posts with their raw fields, newest first."""
        asked = {"status": status, "context": "edit", "per_page": "100"}
        return list(self.call("GET", "/wp/v2/posts", params=asked))

    def page(self, url: str) -> str:
        """Return a page as its readers see it."""
        answer = requests.get(url, timeout=SECONDS)
        answer.raise_for_status()
        return answer.text

    def run(self, code: str) -> str:
        """Run PHP inside WordPress and return what it prints."""
        return _php(
            self.data, f"define('ABSPATH', '{self.data}/www/'); require ABSPATH.'wp-load.php'; {code}"
        )

    def stop(self) -> None:
        """Stop both servers, at once: nothing of them is kept."""
        for daemon in self.daemons:
            daemon.kill()


def start(data: Path) -> WordPress:
    """Start MariaDB and WordPress with all they keep inside DATA."""
    _install()
    port = free_port()
    database = _start_database(data)
    try:
        _lay_out(data, port)
        password = _set_up(data, port)
        web = _start_web(data, port)
    except BaseException:
        database.kill()
        raise
    return WordPress(f"http://127.0.0.1:{port}", USER, password, data, (web, database))


# ---- MariaDB ----------------------------------------------------------------------------------


def _start_database(data: Path) -> Daemon:
    (data / "db").mkdir()
    as_keeper = ["--user=" + KEEPER] if os.geteuid() == 0 else []
    if as_keeper:
        shutil.chown(data / "db", KEEPER, KEEPER)
    made = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    where = ["--no-defaults", f"--datadir={data}/db", *as_keeper]
    done = subprocess.run(["/usr/bin/mariadb-install-db", *where, *made], capture_output=True, text=True)
    if done.returncode:
        raise ServerMissing(f"MariaDB could not make a database here: {done.stderr.strip()[-200:]}")
    quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--skip-networking"]
    argv = ["/usr/sbin/mariadbd", *where, f"--socket={data}/db/s.sock", *quick]
    daemon = Daemon(Launch(argv, data / "db.log"))
    daemon.start(lambda: _create(data))
    return daemon


def _create(data: Path) -> bool:
    argv = ["mariadb", "-uroot", "-S", f"{data}/db/s.sock", "-e", "create database wp"]
    return subprocess.run(argv, capture_output=True).returncode == 0


# ---- WordPress --------------------------------------------------------------------------------


def _lay_out(data: Path, port: int) -> None:
    """Make the site's folder: the parts that never change are the system's own."""
    site = data / "www"
    (site / "wp-content").mkdir(parents=True)
    for each in HOME.glob("*.php"):
        if each.name != "wp-config.php":
            shutil.copyfile(each, site / each.name)
    for name in ("wp-includes", "wp-admin"):
        (site / name).symlink_to(HOME / name)
    shutil.copytree(HOME / "wp-content" / "themes", site / "wp-content" / "themes")
    (site / "wp-config.php").write_text(_CONFIG.replace("@DATA@", str(data)).replace("@PORT@", str(port)))
    (data / "router.php").write_text(_ROUTER)


def _set_up(data: Path, port: int) -> str:
    """Fill the database, and return an application password."""
    said = _php(data, _SETUP.replace("@DATA@", str(data)).replace("@PORT@", str(port)))
    password = said.rpartition("password=")[2].strip()
    if not password:
        raise RuntimeError(f"WordPress could not be set up: {said[-500:]}")
    return password


def _php(data: Path, code: str) -> str:
    """Run PHP outside the web server."""
    host = "$_SERVER += ['HTTP_HOST' => '127.0.0.1', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REQUEST_URI' => '/'];"
    argv = ["php", "-d", "display_errors=0", "-r", f"{host} {code}"]
    done = subprocess.run(argv, cwd=data, capture_output=True, text=True, check=True)
    return done.stdout


def _start_web(data: Path, port: int) -> Daemon:
    argv: list[str | Path] = ["php", "-S", f"127.0.0.1:{port}", "-t", data / "www", data / "router.php"]
    daemon = Daemon(Launch(argv, data / "php.log", {"PHP_CLI_SERVER_WORKERS": WORKERS}))
    daemon.start(lambda: _answers(f"http://127.0.0.1:{port}/wp-json/"))
    return daemon


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=SECONDS).ok
    except requests.ConnectionError:
        return False


# "local" lets application passwords through without TLS; nothing outside is asked, nothing is done by itself.
_CONFIG = """<?php
define('DB_NAME', 'wp'); define('DB_USER', 'root'); define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:@DATA@/db/s.sock'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $each) {
    define($each . '_KEY', $each); define($each . '_SALT', strrev($each));
}
define('WP_ENVIRONMENT_TYPE', 'local');
define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_HOME', 'http://127.0.0.1:@PORT@'); define('WP_SITEURL', 'http://127.0.0.1:@PORT@');
define('WP_DEFAULT_THEME', 'twentytwentythree');
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""
_SETUP = """
define('WP_INSTALLING', true);
require '@DATA@/www/wp-load.php'; require ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_wp_mail', '__return_true');
wp_install('Loopback', 'admin', 'admin@example.com', true, '', 'admin-pass');
update_option('permalink_structure', '/%postname%/');
$who = get_user_by('login', 'admin');
[$password] = WP_Application_Passwords::create_new_application_password($who->ID, ['name' => 'tests']);
echo 'password=' . $password;
"""
# What a web server's rewriting does: files as they are, everything else is WordPress's.
_ROUTER = """<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path !== '/' && is_file($_SERVER['DOCUMENT_ROOT'] . $path)) return false;
$_SERVER['SCRIPT_NAME'] = '/index.php';
include $_SERVER['DOCUMENT_ROOT'] . '/index.php';
"""

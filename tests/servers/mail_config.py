"""What the private Postfix and Dovecot are told: loopback only, no TLS, one password, all in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SERVICES = """\
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
showq unix n - n - - showq
"""

POSTFIX = """\
compatibility_level=3.6
queue_directory={data}/queue
data_directory={data}/postfix-data
command_directory=/usr/sbin
daemon_directory=/usr/lib/postfix/sbin
mail_owner=postfix
setgid_group=postdrop
myhostname=mx.test
mydestination=
inet_interfaces=127.0.0.1
inet_protocols=ipv4
mynetworks=127.0.0.0/8
virtual_mailbox_domains=example.com, example.org, test
virtual_mailbox_maps=static:1
virtual_transport=lmtp:inet:127.0.0.1:{lmtp}
default_transport=error:5.1.2 external delivery disabled
smtpd_recipient_restrictions=check_recipient_access inline:{{{refused}}}, permit_mynetworks, reject
smtpd_sasl_auth_enable=yes
smtpd_sasl_type=dovecot
smtpd_sasl_path=private-auth
smtpd_error_sleep_time=0
smtpd_soft_error_limit=1000
smtpd_hard_error_limit=1000
smtpd_client_connection_count_limit=0
message_size_limit=10485760
maillog_file={data}/postfix.log
maillog_file_prefixes={data}
biff=no
append_dot_mydomain=no
"""

DOVECOT = """\
base_dir={data}/dovecot-run
state_dir={data}/dovecot-state
log_path={data}/dovecot.log
protocols=imap lmtp
listen=127.0.0.1
ssl=no
disable_plaintext_auth=no
mail_location=maildir:{data}/mail/%u
mail_uid={keeper}
mail_gid={keeper}
first_valid_uid=1
first_valid_gid=1
default_vsz_limit=512M
mail_max_userip_connections=1000
passdb {{
  driver=static
  args=password={password}
}}
userdb {{
  driver=static
  args=uid={keeper} gid={keeper} home={data}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port={imap}
  }}
  inet_listener imaps {{
    port=0
  }}
}}
service auth {{
  unix_listener {data}/queue/private-auth {{
    mode=0666
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address=127.0.0.1
    port={lmtp}
  }}
}}
"""


@dataclass(frozen=True)
class Ports:
    """The three ports of one mail server."""

    smtp: int
    imap: int
    lmtp: int


def postfix(data: Path, ports: Ports, refused: Mapping[str, str]) -> str:
    """Return main.cf; REFUSED maps a recipient to the answer it gets instead of being accepted."""
    rules = ", ".join(f"{{{address}={answer}}}" for address, answer in refused.items())
    return POSTFIX.format(data=data, lmtp=ports.lmtp, refused=rules)


def postfix_services(ports: Ports) -> str:
    """Return master.cf."""
    return SERVICES.format(smtp=ports.smtp)


def dovecot(data: Path, ports: Ports, keeper: str, password: str) -> str:
    """Return dovecot.conf; KEEPER is the system user that owns the mailboxes."""
    return DOVECOT.format(data=data, imap=ports.imap, lmtp=ports.lmtp, keeper=keeper, password=password)

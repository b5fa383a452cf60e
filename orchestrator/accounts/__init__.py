"""Settings people bring -> logins with sealed secrets and health; the only room that opens connectors."""

from orchestrator.accounts.logins import Accounts, Catalogue
from orchestrator.accounts.sealing import Ring
from orchestrator.accounts.tables import CONNECTED, UNAUTHORIZED, Account, Connecting, Shop

__all__ = ["CONNECTED", "UNAUTHORIZED", "Account", "Accounts", "Catalogue", "Connecting", "Ring", "Shop"]

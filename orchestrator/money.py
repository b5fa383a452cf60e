"""Money as whole minor units with a currency; text in and out, never a binary fraction."""

import functools
import re
from dataclasses import dataclass
from decimal import Decimal

# ISO 4217 minor units where they are not 2:
# https://www.six-group.com/en/products-services/financial-information/data-standards.html
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_LARGEST = 10**15  # beyond this a figure is a typing error, and int64 columns stay safe


@functools.total_ordering
@dataclass(frozen=True)
class Money:
    """An amount in minor units (cents) of one currency; two currencies never mix."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other).minor

    def __str__(self) -> str:
        return show(self.minor, self.currency)

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other


def digits(currency: str) -> int:
    """Return how many decimals a currency has (ISO 4217)."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def parse(text: str, currency: str) -> int:
    """Read a decimal in major units (`12.34`, `-0.5`) as minor units; ValueError says why not."""
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no amount: write a decimal such as 12.34")
    value = Decimal(text.strip())
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is no amount anybody paid")
    scaled = value.scaleb(digits(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(
            f"{text!r} has more than {digits(currency)} decimals, which {currency} does not have"
        )
    return int(scaled)


def major(minor: int, currency: str) -> Decimal:
    """Return minor units as an exact decimal in major units."""
    return Decimal(minor).scaleb(-digits(currency))


def show(minor: int, currency: str) -> str:
    """Write an amount for people: `$10,000.00`, `-€0.50`, `CHF 12.00`."""
    sign = _SIGNS.get(currency, f"{currency} ")
    return f"{'-' if minor < 0 else ''}{sign}{abs(major(minor, currency)):,.{digits(currency)}f}"

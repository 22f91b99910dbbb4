"""What instances cost: a table as data, with its dates and sources, that a file of one's own comes before."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from longshore.spec.base import Spec, Value
from longshore.spec.sagemaker import REGION, InstanceType

SHIPPED: Final = "prices.yaml"
"""The table beside this module."""


class PricesError(ValueError):
    """A file of prices cannot be read; says why in one line."""


class PriceList(Spec):
    """Prices that were read at one place at one time."""

    region: Annotated[str, Field(pattern=REGION)]
    priced: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")
    """When they held: a day, or a month."""
    source: str = Field(min_length=1)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    per_hour: dict[InstanceType, Annotated[float, Field(ge=0)]]
    """Instance type → what one costs for an hour."""


class Price(Value):
    """What one instance costs for an hour."""

    amount: float
    currency: str
    priced: str
    source: str


class Prices(Value):
    """All prices that are known. Where several lists have a type, the first counts."""

    lists: tuple[PriceList, ...] = ()

    def of(self, region: str, instance_type: str) -> Price | None:
        """The price of an instance; None when it is not known."""
        for one in self.lists:
            if one.region == region and instance_type in one.per_hour:
                amount = one.per_hour[instance_type]
                return Price(amount=amount, currency=one.currency, priced=one.priced, source=one.source)
        return None


def load(own: Path | None = None) -> Prices:
    """The prices of a file of one's own, and then those that come with Longshore.

    Raises:
        PricesError: the file is not there, or not as it must be.
    """
    shipped = _lists(files("longshore.spec").joinpath(SHIPPED).read_text(encoding="utf-8"), SHIPPED)
    if own is None:
        return Prices(lists=shipped)
    try:
        text = own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PricesError(f"prices {own}: {error}") from None
    return Prices(lists=(*_lists(text, str(own)), *shipped))


def _lists(text: str, name: str) -> tuple[PriceList, ...]:
    try:
        content: Any = YAML(typ="safe", pure=True).load(text)
        return TypeAdapter(tuple[PriceList, ...]).validate_python(content)
    except YAMLError as error:
        raise PricesError(f"prices {name}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PricesError(f"prices {name}: {where or 'the file'}: {first['msg']}") from None

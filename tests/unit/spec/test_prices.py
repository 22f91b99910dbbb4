"""The table of prices, and a file of one's own that comes before it."""

from pathlib import Path

import pytest

from longshore.backends.sagemaker.instance_types import instance_type
from longshore.spec.prices import PricesError, load

OWN = """\
- region: us-east-1
  priced: "2026-11"
  source: our contract
  perHour: {ml.g5.12xlarge: 5}
"""


def test_every_price_names_its_date_and_source_and_is_of_a_known_type() -> None:
    for one in load().lists:
        assert one.source
        assert one.per_hour
        for kind, amount in one.per_hour.items():
            assert instance_type(kind) is not None, kind
            assert amount > 0


def test_prices_of_ones_own_come_first_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(OWN)

    prices = load(file)

    own, other = prices.of("us-east-1", "ml.g5.12xlarge"), prices.of("us-east-1", "ml.g5.2xlarge")
    assert own is not None
    assert other is not None
    assert (own.amount, own.currency, own.priced, own.source) == (5, "USD", "2026-11", "our contract")
    assert other.amount == 1.515


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {region: us-east-1", "while parsing"),
        (OWN.replace("5}", "cheap}"), "0.perHour.ml.g5.12xlarge"),
        (OWN.replace("perHour", "perMonth"), "0.perHour: Field required"),
        ("", "the file"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)

    with pytest.raises(PricesError) as told:
        load(file)

    assert str(told.value).startswith(f"prices {file}: ")
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PricesError, match="No such file"):
        load(tmp_path / "gone.yaml")

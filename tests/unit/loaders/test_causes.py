"""Failures are grouped by what they have in common, and each group says what to do."""

from datetime import UTC, datetime, timedelta

import pytest

from config.errors import ErrorKind
from loaders.tracing.causes import Failure, by_cause, cause_id, normalised, suggestion

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def failure(record_id: str, words: str, minutes: int = 0, kind: str = "refused") -> Failure:
    entity = record_id.partition(":")[0]
    return Failure(record_id=record_id, entity=entity, kind=kind, words=words, at=NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("words", "normal"),
    [
        ("No matching record found for external id 'base.xx' in field 'Country'", "No matching record found for external id … in field …"),
        ("its line sales_order_line:shop:o1-1 waits for product#channel_sku=market:A-2", "its line … waits for …"),
        ("Odoo has 3 of 12.50 at SKU-7, as `x` or “y” says", "Odoo has # of # at #, as … or … says"),
        ("  two\nlines  ", "two lines"),
    ],
)  # fmt: skip
def test_words_lose_numbers_names_in_quotes_codes_and_record_ids(words: str, normal: str) -> None:
    assert normalised(words) == normal


def test_what_differs_in_names_only_is_one_cause_with_its_count_times_and_latest_record() -> None:
    causes = by_cause(
        [
            failure("customer:shop:1", "No country 'XX'", 3),
            failure("customer:shop:2", "No country 'YY'", 1),
            failure("product:shop:1", "No country 'XX'"),
            failure("customer:shop:3", "No country 'XX'", kind="transient"),
        ]
    )
    assert [(one.entity, one.kind, one.records, one.example) for one in causes] == [
        ("customer", "refused", 2, "customer:shop:1"),
        ("customer", "transient", 1, "customer:shop:3"),
        ("product", "refused", 1, "product:shop:1"),
    ]
    first = causes[0]
    assert (first.first_seen_at, first.last_seen_at) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))
    assert first.cause_id == cause_id("customer", "refused", "No country 'ZZ'")
    assert len({one.cause_id for one in causes}) == 3


@pytest.mark.parametrize(
    ("kind", "words", "advice"),
    [
        (ErrorKind.INVALID_RECORD, "status: maps.yaml has no entry for the source's word", "maps.yaml"),
        (ErrorKind.INVALID_RECORD, "name: is missing: the source gives null", "default"),
        (ErrorKind.REFUSED, "Barcode(s) already assigned", "identity link"),
        (ErrorKind.REFUSED, "You are not allowed to modify it", "right"),
        (ErrorKind.WAITING, "its product is not in Odoo yet", "product"),
        (ErrorKind.WAITING, "waits for odoo#account.tax=VAT 7", "in Odoo"),
        (ErrorKind.POLICY, "the policies have no tax for its rate of 7 %", "restart"),
        (ErrorKind.TRANSIENT, "serialization failure", "log"),
    ],
)
def test_a_suggestion_fits_the_words(kind: ErrorKind, words: str, advice: str) -> None:
    assert advice in suggestion(kind.value, words)


def test_every_kind_of_error_has_a_suggestion() -> None:
    assert all(suggestion(kind.value, "") for kind in ErrorKind)

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.statusmaps import load_status_maps


def load(folder: Path, text: str) -> tuple[object, list[str]]:
    (folder / "maps.yaml").write_text(text)
    maps, problems = load_status_maps(folder)
    return maps.words, [problem.removeprefix(f"{folder / 'maps.yaml'}: ") for problem in problems]


def test_words_are_kept_by_source_and_field(tmp_path: Path) -> None:
    words, problems = load(tmp_path, "market: {sales_order.status: {PAID: confirmed, 7: draft}}")
    assert words == {"market": {"sales_order.status": {"PAID": "confirmed", "7": "draft"}}}
    assert problems == []


def test_a_folder_without_maps_has_none(tmp_path: Path) -> None:
    maps, problems = load_status_maps(tmp_path)
    assert (maps.of("shop", "sales_order.status"), problems) == (None, [])


def test_every_wrong_word_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    text = "shop: {sales_order.status: {a: shipped, b: true, c: draft}, payment.status: {x: paid}}"
    _, problems = load(tmp_path, text)
    assert problems == [
        "shop.sales_order.status.a: 'shipped' is not one of draft, confirmed, fulfilled, cancelled",
        "shop.sales_order.status.b: True is not one of draft, confirmed, fulfilled, cancelled",
        "shop.payment.status.x: 'paid' is not one of authorized, captured, refunded, failed",
    ]


@pytest.mark.parametrize("domain", ["sales_order.stat", "order.status", "sales_order", "sales_order.note"])
def test_a_domain_is_a_field_that_holds_words(tmp_path: Path, domain: str) -> None:
    _, problems = load(tmp_path, f"shop: {{{domain}: {{a: b}}}}")
    assert problems == [f"shop.{domain}: must be ENTITY.FIELD of a field that holds one of a few words"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("[1]", "the file: must hold names"), ("shop: 3", "shop: must hold names"), ("a: [", "cannot be read as YAML")],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, said: str) -> None:
    _, problems = load(tmp_path, text)
    assert len(problems) == 1
    assert said in problems[0]

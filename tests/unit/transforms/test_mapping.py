from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import ErrorKind
from transforms.mapping import Backfill, MappingError, load_mappings

GOOD = "-- mapping: a\n-- entity: product\n-- source: shop\n-- table: public.t\n-- version: 2\nSELECT 1\n"


def problems_of(*folders: Path) -> list[str]:
    with pytest.raises(MappingError) as raised:
        load_mappings(folders)
    assert raised.value.kind is ErrorKind.MAPPING
    assert all(problem in str(raised.value) for problem in raised.value.problems)
    return list(raised.value.problems)


def test_a_file_gives_its_header_and_its_whole_text(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.sql").write_text("-- A comment first.\n" + GOOD)
    (mapping,) = load_mappings([tmp_path])
    assert (mapping.name, mapping.entity, mapping.source) == ("a", "product", "shop")
    assert (mapping.table, mapping.version) == ("public.t", 2)
    assert mapping.text.startswith("-- A comment first.")


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- mapping: A!\n-- entity: prodct\n-- table: t\n-- version: 0\nSELECT 1")
    (tmp_path / "b.sql").write_text("SELECT 1\n-- mapping: late")
    (tmp_path / "maps.yaml").write_text("shop: {x: {}}")
    problems = problems_of(tmp_path, tmp_path / "none")
    assert [problem.replace(str(tmp_path), "") for problem in problems] == [
        "/maps.yaml: shop.x: must be ENTITY.FIELD of a field that holds one of a few words",
        "/a.sql:1: `mapping` must be lower case letters, digits and underscores, not 'A!'",
        "/a.sql:1: the header lacks `-- source: ...`",
        "/a.sql:2: there is no entity 'prodct'; did you mean 'product'?",
        "/a.sql:3: `table` must be schema.table, not 't'",
        "/a.sql:4: `version` must be a whole number from 1, not '0'",
        "/b.sql:1: the header lacks `-- entity: ...`",
        "/b.sql:1: the header lacks `-- mapping: ...`",
        "/b.sql:1: the header lacks `-- source: ...`",
        "/b.sql:1: the header lacks `-- table: ...`",
        "/b.sql:1: the header lacks `-- version: ...`",
        "/none:1: there is no such folder of mappings",
    ]


def test_a_name_is_given_once(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(GOOD)
    (tmp_path / "b.sql").write_text(GOOD)
    assert problems_of(tmp_path) == [f"{tmp_path}/b.sql:1: mapping 'a' is also in {tmp_path}/a.sql"]


def test_a_header_field_is_given_once(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- version: 1\n" + GOOD)
    assert problems_of(tmp_path) == [f"{tmp_path}/a.sql:6: `version` is given twice"]


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == [f"{tmp_path}:1: the folder holds no mapping (*.sql)"]


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("all", Backfill()),
        ("none", Backfill(none=True)),
        ("from 2026-01-31 on placed_at", Backfill(from_date="2026-01-31", on="placed_at")),
        ("from 2026-01-31 on coalesce(a, b)", Backfill(from_date="2026-01-31", on="coalesce(a, b)")),
    ],
)
def test_a_header_may_say_what_is_backfilled(tmp_path: Path, text: str, policy: Backfill) -> None:
    (tmp_path / "a.sql").write_text(f"-- backfill: {text}\n" + GOOD)
    (mapping,) = load_mappings([tmp_path])
    assert mapping.backfill == policy


@pytest.mark.parametrize("text", ["some", "from 2026-02-30 on a", "from yesterday on a", "from 2026-01-01"])
def test_a_backfill_that_is_none_of_these_is_a_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.sql").write_text(f"-- backfill: {text}\n" + GOOD)
    assert problems_of(tmp_path) == [
        f"{tmp_path}/a.sql:1: `backfill` must be all, none, or from YYYY-MM-DD on COLUMN, not {text!r}"
    ]

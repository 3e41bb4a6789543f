"""load() made safe: the bad rows are found whomever the messages blame, and the others are loaded."""

from __future__ import annotations

from typing import Any, cast

import pytest

from config.errors import ErrorKind
from loaders.delivering.load import LoadRow, load
from loaders.odoo.client import OdooClient
from loaders.odoo.odoo_errors import OdooError

Reply = dict[str, Any]


class FakeOdoo:
    """Refuses the rows named bad, as Odoo does: atomic, with `blame(position, row)` messages for each bad row."""

    def __init__(self, blame: str = "right", races: int = 0) -> None:
        self.blame = blame
        self.races = races
        self.calls: list[int] = []
        self.ids: dict[str, int] = {}

    def call(self, model: str, method: str, args: list[Any], *, context: Any = None) -> Reply:
        _, rows = args
        self.calls.append(len(rows))
        if self.races:
            self.races -= 1
            return {
                "ids": False,
                "messages": [{"type": "error", "record": 0, "message": "could not serialize access due to"}],
            }
        bad = [position for position, row in enumerate(rows) if "bad" in row[1]]
        if bad:
            return {"ids": False, "messages": list(self._messages(bad, rows))}
        for row in rows:
            self.ids.setdefault(row[0], len(self.ids) + 1)
        return {"ids": [self.ids[row[0]] for row in rows], "messages": []}

    def _messages(self, bad: list[int], rows: list[list[str]]) -> Any:
        words = [f"'{rows[position][1]}' is refused" for position in bad]
        if self.blame == "nobody":
            yield {"type": "error", "message": "something is wrong"}
            return
        if self.blame == "first too":  # an error raised while creating is repeated first, as record 0
            yield {"type": "error", "record": 0, "message": words[0]}
        for position, text in zip(bad[:10], words, strict=False):
            yield {"type": "error", "record": position, "message": text}


def rows_of(*names: str) -> list[LoadRow]:
    return [LoadRow(cells={"id": f"cw.{number}", "name": name}) for number, name in enumerate(names)]


@pytest.mark.parametrize("blame", ["right", "first too", "nobody"])
def test_bad_rows_are_refused_with_odoos_words_and_the_rest_is_loaded(blame: str) -> None:
    odoo = FakeOdoo(blame)
    names = ["good"] * 40
    names[7], names[23] = "bad 7", "bad 23"
    loaded = load(cast("OdooClient", odoo), "res.partner", rows_of(*names), batch_records=500)
    assert set(loaded.refused) == {"cw.7", "cw.23"}
    assert set(loaded.ids) == {f"cw.{number}" for number in range(40)} - {"cw.7", "cw.23"}
    if blame == "right":
        assert loaded.refused["cw.7"] == "'bad 7' is refused"
    assert sum(odoo.calls) < 40 * 12


def test_the_first_row_can_be_the_bad_one() -> None:
    loaded = load(
        cast("OdooClient", FakeOdoo("first too")), "res.partner", rows_of("bad 0", "good", "good"), batch_records=500
    )
    assert set(loaded.refused) == {"cw.0"}


def test_rows_go_in_calls_of_the_size_asked_for() -> None:
    odoo = FakeOdoo()
    load(cast("OdooClient", odoo), "res.partner", rows_of(*["good"] * 7), batch_records=3)
    assert odoo.calls == [3, 3, 1]


def test_the_parts_count_in_a_calls_size_and_no_record_is_divided() -> None:
    calls: list[list[list[str]]] = []

    class Taking(FakeOdoo):
        def call(self, model: str, method: str, args: list[Any], *, context: Any = None) -> Reply:
            calls.append(args[1])
            return {"ids": list(range(1, 1 + sum(row[0] != "" for row in args[1]))), "messages": []}

    rows = [
        LoadRow(cells={"id": f"cw.{number}"}, parts=[{"lines/id": f"cw.{number}_{part}"} for part in range(parts)])
        for number, parts in enumerate((2, 1, 5, 1))
    ]
    load(cast("OdooClient", Taking()), "sale.order", rows, batch_records=3)
    assert [len(rows) for rows in calls] == [3, 5, 1]
    assert calls[0] == [["cw.0", "cw.0_0"], ["", "cw.0_1"], ["cw.1", "cw.1_0"]]


def test_a_lost_race_is_tried_again_and_blames_nobody() -> None:
    odoo = FakeOdoo(races=2)
    loaded = load(cast("OdooClient", odoo), "res.partner", rows_of("good"), batch_records=500)
    assert loaded.ids == {"cw.0": 1}
    with pytest.raises(OdooError) as caught:
        load(cast("OdooClient", FakeOdoo(races=99)), "res.partner", rows_of("good"), batch_records=500)
    assert caught.value.kind is ErrorKind.TRANSIENT


def test_the_digest_says_whether_the_cells_are_the_same() -> None:
    one = LoadRow(cells={"id": "cw.1", "name": "a", "email": ""})
    assert one.digest == LoadRow(cells={"email": "", "name": "a", "id": "cw.1"}).digest
    assert one.digest != LoadRow(cells={"id": "cw.1", "name": "", "email": "a"}).digest


class Recording:
    """Answers each record that has an external id, and keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], list[list[str]], Any]] = []

    def call(self, model: str, method: str, args: list[Any], *, context: Any = None) -> Reply:
        columns, rows = args
        self.calls.append((columns, rows, context))
        return {"ids": [len(row[0]) for row in rows if row[0]], "messages": []}


def test_rows_go_with_those_of_their_columns_and_company() -> None:
    odoo = Recording()
    rows = [
        LoadRow(cells={"id": "cw.1", "name": "a"}, first={"team_id/.id": "2"}, company_id=7),
        LoadRow(cells={"id": "cw.22", "name": "b"}),
        LoadRow(cells={"id": "cw.333", "name": "c"}, first={"team_id/.id": "3"}, company_id=7),
    ]
    assert load(cast("OdooClient", odoo), "sale.order", rows, batch_records=9).ids == {
        "cw.1": 4,
        "cw.333": 6,
        "cw.22": 5,
    }
    assert odoo.calls == [
        (["id", "name", "team_id/.id"], [["cw.1", "a", "2"], ["cw.333", "c", "3"]], {"allowed_company_ids": [7]}),
        (["id", "name"], [["cw.22", "b"]], {}),
    ]
    assert rows[0].digest == LoadRow(cells=rows[0].cells).digest


def test_a_records_parts_are_the_rows_below_it() -> None:
    odoo = Recording()
    parts = [{"line_ids/id": "cw.1_1"}, {"line_ids/id": "cw.1_2"}]
    rows = [LoadRow(cells={"id": "cw.1"}, parts=parts), LoadRow(cells={"id": "cw.2"}, parts=parts[:1])]
    assert load(cast("OdooClient", odoo), "account.move", rows, batch_records=9).ids == {"cw.1": 4, "cw.2": 4}
    assert odoo.calls[0][:2] == (["id", "line_ids/id"], [["cw.1", "cw.1_1"], ["", "cw.1_2"], ["cw.2", "cw.1_1"]])

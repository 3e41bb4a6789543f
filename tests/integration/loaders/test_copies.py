"""Tables of a source in the outbox: a first snapshot that is interrupted, copies, and what they find gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cdc.batch import BatchKind, CopyProgress
from cdc.lsn import Lsn
from cdc.relation import Column, Relation, ReplicaIdentity
from loaders.arriving.outbox import Outbox
from loaders.arriving.rows_to_read import groups, take
from loaders.state import connect
from tests.fixtures.delivery import PRIORITIES, OperationalEnd, customer, deleted, line, no_fetch, order, product
from transforms.changes import AnyChange, Held, Origin, Upsert
from transforms.compiled import KeyPattern

CUSTOMERS, PRODUCTS, ORDERS = "public.customers", "public.products", "public.orders"


def table(name: str, identity: ReplicaIdentity = ReplicaIdentity.DEFAULT) -> Relation:
    schema, _, plain = name.partition(".")
    columns = (Column(name="id", type_oid=25, is_key=True),)
    return Relation(oid=sum(plain.encode()), schema=schema, table=plain, columns=columns, replica_identity=identity)


def maps(lane: OperationalEnd, *patterns: tuple[str, str, str | None]) -> None:
    lane.mapper.patterns = [KeyPattern(table=on, entity=entity, pattern=pattern) for on, entity, pattern in patterns]


def restart(lane: OperationalEnd) -> None:
    """The process is another one, over the same state."""
    lane.outbox.close()
    lane.outbox = Outbox(lane.state, lane.mapper, no_fetch, PRIORITIES)


def whole(lane: OperationalEnd, name: str, *changes: AnyChange) -> None:
    """A table of the snapshot arrives with all its rows."""
    lane.arrive(*changes, complete=False, kind=BatchKind.SNAPSHOT)
    lane.mapper.changes = []
    batch = lane.batch("shop", complete=False, kind=BatchKind.SNAPSHOT)
    lane.outbox.apply(replace(batch, copied=table(name)))


def begin_copy(lane: OperationalEnd, name: str, exact_from: int = 100) -> CopyProgress:
    progress = CopyProgress(relation=table(name), began_at=Lsn(90), exact_from=Lsn(exact_from))
    lane.outbox.begin_copy("shop", progress)
    return progress


def chunk(lane: OperationalEnd, progress: CopyProgress, *changes: AnyChange) -> None:
    """A chunk arrives; one without rows is the copy's last."""
    lane.mapper.changes = changes
    progress = replace(progress, last_key=("k",), rows=progress.rows + len(changes), last=not changes)
    lane.outbox.apply(replace(lane.batch("shop"), kind=BatchKind.COPY, copy=progress))


def reach(lane: OperationalEnd, lsn: int, *changes: AnyChange) -> None:
    """The stream comes to a place of the log, with transactions that end there."""
    batch = lane.batch("shop")
    lane.mapper.changes = [_at(change, Lsn(lsn)) for change in changes]
    lane.outbox.apply(replace(batch, position=replace(batch.position, lsn=Lsn(lsn))))


def _at(change: AnyChange, lsn: Lsn) -> AnyChange:
    if isinstance(change, Upsert):
        change = replace(change, record=change.record.model_copy(update={"source_position": str(lsn)}))
    return replace(change, position=str(lsn))


def gone(lane: OperationalEnd) -> list[str]:
    return [each for (each,) in lane.rows("SELECT record_id FROM outbox WHERE operation = 'delete' ORDER BY 1")]


def captured(lane: OperationalEnd, *names: str) -> Sequence[str]:
    return lane.outbox.captured("shop", [table(name) for name in names])


def test_an_interrupted_first_snapshot_goes_on_with_the_tables_that_are_not_whole(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"), (PRODUCTS, "product", "^p.*$"))
    lane.outbox.begin_snapshot("shop", [table(CUSTOMERS), table(PRODUCTS)])
    whole(lane, CUSTOMERS, customer(), customer(key="c2"))
    lane.arrive(product(key="p0"), complete=False, kind=BatchKind.SNAPSHOT)
    restart(lane)
    position = lane.outbox.position("shop")
    assert position is not None
    assert captured(lane, CUSTOMERS, PRODUCTS) == (PRODUCTS,)
    progress = begin_copy(lane, PRODUCTS)
    reach(lane, 80, deleted("customer", "shop", "c2"))  # what the log says since the snapshot
    chunk(lane, progress, product(key="p1"))
    assert not lane.deliver().worked
    assert (lane.deliverer.backlog().pending, lane.deliverer.anything_left()) == (4, False)
    restart(lane)  # in the middle of the copy
    assert captured(lane, CUSTOMERS, PRODUCTS) == ()
    (resumed,) = lane.outbox.copies("shop")
    assert (resumed.table, resumed.last_key, resumed.rows) == (PRODUCTS, ("k",), 1)
    chunk(lane, resumed)
    assert lane.outbox.copies("shop") == ()
    reach(lane, 99)
    assert not lane.deliver().worked
    reach(lane, 100)
    assert lane.deliverer.anything_left()
    lane.deliver()
    assert not lane.deliverer.anything_left()
    assert lane.status("customer:shop:c1") == lane.status("product:shop:p1") == "delivered"
    assert gone(lane) == ["customer:shop:c2", "product:shop:p0"]
    restart(lane)
    assert captured(lane, CUSTOMERS, PRODUCTS) == ()


def test_a_snapshot_that_is_interrupted_behind_its_last_table_is_whole(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"))
    lane.outbox.begin_snapshot("shop", [table(CUSTOMERS)])
    whole(lane, CUSTOMERS, customer())
    restart(lane)
    assert captured(lane, CUSTOMERS) == ()
    lane.deliver()
    assert lane.status("customer:shop:c1") == "delivered"


def test_a_snapshot_with_a_table_that_can_not_be_copied_by_itself_begins_anew(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"), (PRODUCTS, "product", "^p.*$"))
    keyless = table(PRODUCTS, ReplicaIdentity.FULL)
    lane.outbox.begin_snapshot("shop", [table(CUSTOMERS), keyless])
    whole(lane, CUSTOMERS, customer())
    restart(lane)
    assert lane.outbox.position("shop") is None


def test_a_repeated_snapshot_that_is_interrupted_still_finds_what_is_gone(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"), (PRODUCTS, "product", "^p.*$"))
    lane.arrive(customer(), customer(key="c2"), product(), product(key="p2"), order())
    lane.deliver()
    lane.rows("DELETE FROM positions RETURNING 1")
    restart(lane)
    lane.outbox.begin_snapshot("shop", [table(CUSTOMERS), table(PRODUCTS)])
    whole(lane, CUSTOMERS, customer())
    restart(lane)
    assert captured(lane, CUSTOMERS, PRODUCTS) == (PRODUCTS,)
    progress = begin_copy(lane, PRODUCTS)
    chunk(lane, progress, replace(product(name="Found"), origin=Origin.SNAPSHOT))
    chunk(lane, progress)
    assert gone(lane) == []
    reach(lane, 100)
    assert gone(lane) == ["customer:shop:c2", "product:shop:p2", "sales_order:shop:o1"]
    assert lane.rows("SELECT origin FROM outbox WHERE record_id = 'product:shop:p1'") == [("repaired",)]
    assert lane.rows("SELECT count(*) FROM snapshot_seen") == [(0,)]


def test_records_of_a_broken_mapping_are_not_gone_because_a_repeated_snapshot_held_them(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product())
    lane.rows("DELETE FROM positions RETURNING 1")
    maps(lane, (CUSTOMERS, "customer", None), (PRODUCTS, "product", "^p.*$"))
    restart(lane)
    lane.outbox.begin_snapshot("shop", [table(CUSTOMERS), table(PRODUCTS)])
    lane.arrive(product(key="p2"), kind=BatchKind.SNAPSHOT)
    assert gone(lane) == ["product:shop:p1"]


def test_what_a_copy_does_not_show_is_gone_once_the_table_is_exact(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"), (PRODUCTS, "product", "^p.*$"), (ORDERS, "customer", "^c-o.*$"))
    lane.arrive(customer(), customer(key="c2"), customer(key="c3"), customer(key="c-o1"), product())
    lane.deliver()
    progress = begin_copy(lane, CUSTOMERS)
    chunk(lane, progress, customer())
    # Written behind the copy's back, to what it is already: deleted and inserted again by one batch.
    reach(lane, 95, customer(key="c3"))
    chunk(lane, progress)
    assert gone(lane) == []
    reach(lane, 100)
    assert gone(lane) == ["customer:shop:c2"]
    (record,) = lane.rows("SELECT status, source_lsn::text, origin FROM outbox WHERE operation = 'delete'")
    assert record == ("pending", "0/64", "repaired")
    lane.deliver()
    assert lane.status("customer:shop:c2") == "delivered"
    assert lane.rows("SELECT count(*) FROM snapshot_seen") == lane.rows("SELECT count(*) FROM copies") == [(0,)]


def test_what_the_log_says_of_the_time_before_a_copy_began_does_not_keep_a_row(lane: OperationalEnd) -> None:
    """The lane was behind when its copy began: the row was changed, and was gone by then without the log saying so."""
    maps(lane, (PRODUCTS, "product", "^p.*$"))
    lane.arrive(product(), product(key="p2"))
    lane.deliver()
    progress = begin_copy(lane, PRODUCTS)
    reach(lane, progress.began_at - 1, product(name="Changed"))
    reach(lane, progress.began_at, product(key="p2", name="Changed"))
    chunk(lane, progress)
    reach(lane, 100)
    assert gone(lane) == ["product:shop:p1"]


def test_a_copy_that_begins_anew_forgets_what_the_one_before_has_seen(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"))
    lane.arrive(customer(), customer(key="c2"))
    progress = begin_copy(lane, CUSTOMERS)
    chunk(lane, progress, customer(), customer(key="c2"))
    progress = begin_copy(lane, CUSTOMERS)
    chunk(lane, progress, customer())
    chunk(lane, progress)
    reach(lane, 100)
    assert gone(lane) == ["customer:shop:c2"]


def test_an_order_that_a_copy_finds_gone_makes_place_for_its_duplicate(lane: OperationalEnd) -> None:
    maps(lane, (ORDERS, "sales_order", "^o.*$"), ("public.order_lines", "sales_order_line", "^l.*$"))
    lane.arrive(order(duplicate_key="d"), line(key="l1"), order(key="o2", duplicate_key="d"))
    assert lane.status("sales_order:shop:o2") == "duplicate"
    progress = begin_copy(lane, ORDERS)
    chunk(lane, progress, order(key="o2", duplicate_key="d"))
    chunk(lane, progress)
    reach(lane, 100)
    assert gone(lane) == ["sales_order:shop:o1"]
    assert lane.status("sales_order:shop:o2") == "pending"


def test_records_that_rows_yet_to_be_read_may_make_are_not_gone(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"))
    lane.arrive(customer(), customer(key="c2"), customer(key="c3"))
    progress = begin_copy(lane, CUSTOMERS)
    held = Held(
        source="shop", table=CUSTOMERS, key={"id": "c2"}, mapping="m", reason=Origin.SNAPSHOT, position="0/1", xid=0, seq=0
    )  # fmt: skip
    lane.mapper.changes = [customer(), held]
    lane.outbox.apply(replace(lane.batch("shop"), kind=BatchKind.COPY, copy=replace(progress, rows=2)))
    chunk(lane, progress)
    reach(lane, 100)
    assert gone(lane) == []
    restart(lane)
    _read_held(lane)
    reach(lane, 101)
    assert gone(lane) == ["customer:shop:c3"]


def _read_held(lane: OperationalEnd) -> None:
    with connect(lane.state) as connection:
        (group,) = groups(connection)
        rows = take(connection, group, 10)
    lane.outbox.apply_read("shop", [customer(key="c2")], rows, [])


def test_records_that_another_tables_mapping_may_have_made_are_left_alone(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^.*$"), (ORDERS, "customer", "^g-.*$"), ("public.other", "product", None))
    lane.arrive(customer(), customer(key="g-1"), product())
    progress = begin_copy(lane, CUSTOMERS)
    chunk(lane, progress)
    reach(lane, 100)
    assert gone(lane) == ["customer:shop:c1"]


def test_a_table_that_came_later_is_copied_where_a_mapping_reads_it(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"))
    lane.outbox.begin_snapshot("shop", [table(CUSTOMERS)])
    lane.arrive(customer(), kind=BatchKind.SNAPSHOT)
    assert captured(lane, CUSTOMERS, PRODUCTS) == ()
    maps(lane, (CUSTOMERS, "customer", "^c.*$"), (PRODUCTS, "product", None))
    assert captured(lane, CUSTOMERS, PRODUCTS) == (PRODUCTS,)
    assert captured(lane, PRODUCTS) == (PRODUCTS,)
    begin_copy(lane, PRODUCTS)
    assert captured(lane, CUSTOMERS, PRODUCTS) == (CUSTOMERS,)  # given up meanwhile, and taken up again


def test_tables_of_a_state_that_did_not_note_them_have_their_rows(lane: OperationalEnd) -> None:
    maps(lane, (CUSTOMERS, "customer", "^c.*$"), (PRODUCTS, "product", "^p.*$"))
    lane.arrive(customer())
    restart(lane)
    assert captured(lane, CUSTOMERS) == ()
    assert captured(lane, CUSTOMERS, PRODUCTS) == (PRODUCTS,)

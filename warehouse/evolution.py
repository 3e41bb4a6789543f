"""What a new version of a captured table means for its mirror: columns added, dropped, renamed or widened, or a table that stops.

Contract: pure. `changed` compares the version that the mirror follows with the one that the log announces; `warehouse.reshaping`
carries the outcome out. What cannot be followed raises `Unfollowable`: it stops that one table (`warehouse.following`), never its
source. A column that the source dropped stays in the mirror: rows written from then on have NULL there.

The log names columns and says nothing of which is which. The catalog does (`cdc.table_facts`), though as it is now, and the log
may be behind it: what the two do not agree on is not guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cdc.batch import META_COLUMNS
from cdc.relation import Column, Relation, ReplicaIdentity
from cdc.table_facts import CatalogColumn, TableFacts
from config.errors import CausewayError, ErrorKind
from warehouse.names import MirrorTable
from warehouse.type_changes import TypeChange, type_change


class Unfollowable(Exception):  # noqa: N818
    """A table's mirror cannot go on; the words follow "the table public.orders"."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the mirror follows. `attnums` by column name and `files` as the catalog had them, empty where it was not asked.

    `gone`: attnums of columns that had been dropped before this point of the log.
    """

    relation: Relation
    attnums: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[int, int] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Addition:
    """A column to add. `missing`: text of the value of the rows that are there, None for NULL."""

    column: Column
    missing: str | None = None
    rewritten: bool = False  # every row was written again since: what the old ones have is not known


@dataclass(frozen=True, kw_only=True)
class Reshape:
    """Steps from one version to the next, in this order. `dropped` are names after the renames."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    widened: tuple[Column, ...] = ()
    added: tuple[Addition, ...] = ()
    rekeyed: bool = False

    def new_name(self, column: str) -> str:
        """Return the name that a column of before has behind the step."""
        return self.renamed.get(column, column)

    @property
    def alters(self) -> bool:
        """Whether the mirror's table takes another shape."""
        return bool(self.renamed or self.widened or self.added)


def check_capturable(source: str, relation: Relation) -> None:
    """Refuse a table that a mirror cannot follow row by row: CausewayError SCHEMA."""
    try:
        check_followable(relation)
    except Unfollowable as error:
        message = f"{source}: the table {relation.qualified_name} {error}."
        hint = "Give it a primary key or leave it out; a column list of the publication leaves a column out."
        raise CausewayError(
            ErrorKind.SCHEMA, message, hint=hint, source=source, table=relation.qualified_name
        ) from error


def check_names(source: str, relations: Sequence[Relation]) -> None:
    """Refuse two tables with one mirror: DuckDB's names are case-insensitive, and public's schema is the source's."""
    seen: dict[str, Relation] = {}
    for relation in relations:
        name = MirrorTable(source, relation).name.casefold()
        if name in seen:
            both = f"{seen[name].qualified_name} and {relation.qualified_name}"
            message = f"{source}: the tables {both} would have one mirror, {name}."
            raise CausewayError(ErrorKind.SCHEMA, message, hint="Leave one of them out.", source=source)
        seen[name] = relation


def check_followable(relation: Relation) -> None:
    """Refuse a table without a key in the log, or with names that DuckDB cannot tell apart."""
    if relation.replica_identity is ReplicaIdentity.NOTHING or not relation.key_columns:
        raise Unfollowable("has no key in the log")
    if relation.replica_identity is ReplicaIdentity.FULL and not relation.primary_key:
        raise Unfollowable("has REPLICA IDENTITY FULL but no primary key, so equal rows cannot be told apart")
    folded = [name.casefold() for name in relation.column_names]
    reserved = {name for name, _ in META_COLUMNS}
    twice = sorted({name for name in folded if folded.count(name) > 1} | (reserved & set(folded)))
    if twice:
        names = ", ".join(twice)
        raise Unfollowable(f"has columns whose names DuckDB cannot tell apart or the bridge needs itself: {names}")


def changed(known: Known, announced: Relation, facts: TableFacts | None, mirrored: Collection[str]) -> Reshape:
    """Return what has to be done to the mirror; Unfollowable where that is not known, or would alter values.

    `mirrored`: case-folded names of all columns that the mirror has.
    """
    before = known.relation
    if announced.oid != before.oid:
        raise Unfollowable("was dropped and created again")
    if announced.qualified_name != before.qualified_name:
        raise Unfollowable(f"is called {announced.qualified_name} now, which `tables` has to name instead")
    check_followable(announced)
    origins = _origins(known, announced, facts)
    kept = {origin.name: column for column, origin in origins.items() if origin is not None}
    dropped = [column.name for column in before.columns if column.name not in kept]
    added = [column for column, origin in origins.items() if origin is None]
    renamed = {old: column.name for old, column in kept.items() if old != column.name}
    aside = _moved_aside([*renamed.values(), *(column.name for column in added)], renamed, mirrored)
    return Reshape(
        renamed={**aside, **renamed},
        dropped=tuple(aside.get(name, name) for name in dropped),
        widened=tuple(column for column, origin in origins.items() if origin and _is_wider(origin, column)),
        added=tuple(_addition(known, column, facts) for column in added),
        rekeyed={renamed.get(name, name) for name in before.key_columns} != set(announced.key_columns),
    )


def check_unchanged(known: Known, facts: TableFacts | None) -> None:
    """Refuse a table whose columns the log names as before, though one of them is another now (dropped and added again)."""
    if facts is None:
        return
    now = {column.name: column.attnum for column in facts.columns}
    again = [name for name, attnum in known.attnums.items() if now.get(name, attnum) != attnum]
    if again:
        raise _came_again(again)


def check_published(published: int | None, facts: TableFacts) -> None:
    """Refuse a table whose entry in the publication is another one than it was: what changed in between is in no lane's log."""
    if published is not None and facts.published not in (None, published):
        raise Unfollowable(
            "was taken out of the publication and put back, and the log says nothing of what changed meanwhile"
        )


def check_partitions(leaves: Mapping[int, int], facts: TableFacts) -> None:
    """Refuse a table of which single partitions came with rows or went: Postgres logs nothing of that for their root.

    `leaves`: files by OID, as they were. All of them written anew at once is a TRUNCATE or a change of the root, which is logged.
    """
    if not leaves:
        return
    if leaves.keys() - facts.leaves.keys():
        raise Unfollowable("lost a partition (detached or dropped), of whose rows the log says nothing")
    if (facts.leaves.keys() - leaves.keys()) & facts.attached:
        raise Unfollowable("got a partition attached, of whose rows the log says nothing")
    anew = [leaf for leaf, file in leaves.items() if facts.leaves[leaf] != file]
    if anew and len(anew) < len(leaves):
        raise Unfollowable("has a partition that was truncated or written anew, of which the log says nothing")


def attnums_of(known: Known, announced: Relation, facts: TableFacts) -> dict[str, int]:
    """Return the attnums of the announced columns, as far as they can be told; a name that is gone by now keeps its own."""
    now = {column.name: column.attnum for column in facts.columns}
    attnums = {name: now.get(name) or known.attnums.get(name, 0) for name in announced.column_names}
    since = _made_since(known, facts)
    new = [name for name, attnum in attnums.items() if attnum == 0 or attnum in since]
    untold = [name for name in new if attnums[name] == 0]
    gone = [attnum for attnum in since if attnum in facts.dropped]
    if known.attnums and len(new) == len(since):  # in the order of their making
        attnums |= dict(zip(new, since, strict=True))
    elif known.attnums and len(untold) == len(gone):
        attnums |= dict(zip(untold, gone, strict=True))
    return {name: attnum for name, attnum in attnums.items() if attnum}


def _origins(known: Known, announced: Relation, facts: TableFacts | None) -> dict[Column, Column | None]:
    """Return for each announced column the one that it was, None for one that came anew."""
    by_name = {column.name: column for column in known.relation.columns}
    guessed = {column: by_name.get(column.name) for column in announced.columns}
    lost = by_name.keys() - set(announced.column_names)
    came = [column.name for column, origin in guessed.items() if origin is None]
    if facts is None or not all(name in known.attnums for name in by_name):
        if lost and came:
            raise _maybe_renamed(lost, came)
        return guessed
    found = _by_attnum(known, announced, facts)
    _check_order(known, found)
    _check_namesakes(known, found)
    _check_places(known, found, facts)
    return found


def _made_since(known: Known, facts: TableFacts) -> list[int]:
    """Return the attnums, in their order, of columns that were made since the version that is followed, dropped ones too."""
    newest = max(known.attnums.values(), default=0)
    attnums = (*(column.attnum for column in facts.columns), *facts.dropped)
    return sorted(attnum for attnum in attnums if attnum > newest and attnum not in known.gone)


def _check_places(known: Known, found: Mapping[Column, Column | None], facts: TableFacts) -> None:
    """A new column has its place among those that were made since: else another one had its name when the log named it."""
    now = {column.name: column.attnum for column in facts.columns}
    since = _made_since(known, facts)
    new = [column.name for column, origin in found.items() if origin is None]
    for place, name in enumerate(new):
        if name in now and since[place : place + 1] != [now[name]]:
            raise Unfollowable(
                f"got the column {name} and was altered again before that was read, so that its old rows' values are not known"
            )


def _by_attnum(known: Known, announced: Relation, facts: TableFacts) -> dict[Column, Column | None]:
    columns = {column.name: column for column in known.relation.columns}
    by_attnum = {known.attnums[name]: column for name, column in columns.items()}
    now = {column.name: column.attnum for column in facts.columns}
    found = {
        column: by_attnum.get(now[column.name]) if column.name in now else columns.get(column.name)
        for column in announced.columns
    }
    taken = {origin.name for origin in found.values() if origin is not None}
    gone = [column.name for column in announced.columns if column.name not in now and found[column] is None]
    if gone and columns.keys() - taken:  # it has another name by now, or none: the catalog cannot say which it was
        raise _maybe_renamed(columns.keys() - taken, gone)
    return found


def _check_order(known: Known, found: Mapping[Column, Column | None]) -> None:
    """The log lists columns in the order of their making: where the catalog's order is another, it is ahead of the log."""
    order = [known.attnums[origin.name] for origin in found.values() if origin is not None]
    if order != sorted(set(order)):
        raise Unfollowable("was altered again before its changes were read, so that its columns cannot be told apart")


def _check_namesakes(known: Known, found: Mapping[Column, Column | None]) -> None:
    """A column dropped and added again stands behind one that was behind it: else this came later than what the log says now."""
    kept = [known.attnums[origin.name] for origin in found.values() if origin is not None]
    for column, origin in found.items():
        attnum = known.attnums.get(column.name)
        if (
            origin is None
            and attnum is not None
            and column.name not in _kept_names(found)
            and max(kept, default=0) < attnum
        ):
            raise _came_again([column.name])


def _kept_names(found: Mapping[Column, Column | None]) -> set[str]:
    return {origin.name for origin in found.values() if origin is not None}


def _came_again(names: Sequence[str]) -> Unfollowable:
    return Unfollowable(f"lost {', '.join(names)} and got a column of the same name")


def _maybe_renamed(lost: Collection[str], came: Sequence[str]) -> Unfollowable:
    return Unfollowable(
        f"lost {', '.join(sorted(lost))} and got {', '.join(came)} at once, which may be a column renamed"
    )


def _moved_aside(taken: Sequence[str], renamed: Mapping[str, str], mirrored: Collection[str]) -> dict[str, str]:
    """Return new names for columns that stay in the mirror though another column has their name now."""
    free = {name.casefold() for name in renamed}
    aside = {}
    names = set(mirrored)
    for name in taken:
        if name.casefold() in names - free:
            number = next(n for n in range(1, len(names) + 2) if f"{name}_dropped_{n}".casefold() not in names)
            aside[name] = f"{name}_dropped_{number}"
            names.add(aside[name].casefold())
    return aside


def _is_wider(before: Column, now: Column) -> bool:
    change = type_change(before, now)
    if change is TypeChange.OTHER:
        was, is_now = (column.type_name or f"type {column.type_oid}" for column in (before, now))
        raise Unfollowable(f"has another type for {now.name}: {was} before, {is_now} now")
    return change is TypeChange.WIDER


def _addition(known: Known, column: Column, facts: TableFacts | None) -> Addition:
    fact = _named(facts, column.name)
    if fact is None or facts is None:
        return Addition(column=column)
    again = any(known.files.get(part, file) != file for part, file in facts.files.items())
    unknown = not fact.uniform or (fact.missing is None and again)
    return Addition(column=column, missing=fact.missing, rewritten=unknown)


def _named(facts: TableFacts | None, name: str) -> CatalogColumn | None:
    columns = facts.columns if facts is not None else ()
    return next((column for column in columns if column.name == name), None)

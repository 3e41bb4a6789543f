"""What a new version of a captured table means for its mirror: nothing, more columns, or a stop.

Contract: `additions` is pure; the session runs the ALTER TABLE. A stop is a CausewayError SCHEMA that names the table and what
to do. A column that the source dropped stays in the mirror: rows written from then on have NULL there.
"""

from __future__ import annotations

from cdc.batch import META_COLUMNS
from cdc.relation import Column, Relation, ReplicaIdentity
from config.errors import CausewayError, ErrorKind
from transforms.columns import duckdb_type

REBUILD = "Rebuild the mirrors of this source from a new snapshot; until then its other tables stand still too."


def check_capturable(source: str, relation: Relation) -> None:
    """Refuse a table that a mirror cannot follow row by row: without a key, or with names that DuckDB cannot tell apart."""
    if relation.replica_identity is ReplicaIdentity.NOTHING or not relation.key_columns:
        raise _stop(
            source, relation, "has no key in the log", "Add a primary key, or set REPLICA IDENTITY USING INDEX."
        )
    if relation.replica_identity is ReplicaIdentity.FULL and not relation.primary_key:
        raise _stop(
            source, relation, "has REPLICA IDENTITY FULL but no primary key, so equal rows cannot be told apart",
            "Add a primary key, or leave the table out.",
        )  # fmt: skip
    folded = [name.casefold() for name in relation.column_names]
    reserved = {name for name, _ in META_COLUMNS}
    twice = sorted({name for name in folded if folded.count(name) > 1} | (reserved & set(folded)))
    if twice:
        problem = f"has columns whose names DuckDB cannot tell apart or the bridge needs itself: {', '.join(twice)}"
        raise _stop(source, relation, problem, "Publish the table with a column list that leaves one out.")


def additions(source: str, known: Relation, announced: Relation, mirrored: frozenset[str]) -> tuple[Column, ...]:
    """Return the columns to add to the mirror; CausewayError SCHEMA where the change is not only additive.

    `known` is the version that the mirror follows, `mirrored` the case-folded names of the columns that the mirror has.
    """
    if announced.oid != known.oid:
        raise _stop(source, announced, "was dropped and created again", REBUILD)
    if announced.qualified_name != known.qualified_name:
        raise _stop(source, announced, f"was called {known.qualified_name} before", REBUILD)
    check_capturable(source, announced)
    before = {column.name: column for column in known.columns}
    now = {column.name: column for column in announced.columns}
    added = tuple(column for name, column in now.items() if name not in before)
    dropped = [name for name in before if name not in now]
    _refuse_rename(source, announced, added, dropped)
    for name in before.keys() & now.keys():
        _refuse_other_type(source, announced, before[name], now[name])
    back = sorted(column.name for column in added if column.name.casefold() in mirrored)
    if back:
        raise _stop(source, announced, f"got a column back that it had before: {', '.join(back)}", REBUILD)
    if set(announced.key_columns) != set(known.key_columns):
        raise _stop(source, announced, f"has another key now: {', '.join(announced.key_columns)}", REBUILD)
    return added


def _refuse_rename(source: str, relation: Relation, added: tuple[Column, ...], dropped: list[str]) -> None:
    """The log does not tell a renamed column from one dropped and one added; taken for the latter, old rows lose values."""
    if added and dropped:
        names = ", ".join(column.name for column in added)
        problem = f"lost {', '.join(dropped)} and got {names} at once, which may be a column renamed"
        raise _stop(source, relation, problem, REBUILD)


def _refuse_other_type(source: str, relation: Relation, before: Column, now: Column) -> None:
    if duckdb_type(before) != duckdb_type(now):
        problem = f"has another type for {now.name}: {duckdb_type(before)} before, {duckdb_type(now)} now"
        raise _stop(source, relation, problem, REBUILD)


def _stop(source: str, relation: Relation, problem: str, hint: str) -> CausewayError:
    message = f"{source}: the table {relation.qualified_name} {problem}."
    return CausewayError(ErrorKind.SCHEMA, message, hint=hint, source=source, table=relation.qualified_name)

"""`causeway slots plan`: what an administrator runs so that capture has what it needs on a source, and nothing else.

Everything here only reads. The plan is a list of steps in the order in which they must be run; what is there already is left
out. `script` writes it as psql reads it: a reason before each statement, no password anywhere.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cdc import publications, slots
from cdc.catalog import describe, server_facts
from cdc.connection import PlainConnection, Row
from cdc.driver_errors import translate
from cdc.identities import identity_steps
from cdc.server_settings import Advice, advise
from cdc.slots import Step
from cdc.snapshot import output_functions
from cdc.wanted import Wanted, everything, with_identities
from config.settings import Lane, SourceRole, SourceSettings

# What a DBA asks first. The figure is measured by `make bench`: docs/reference/benchmarks.md.
TWO_SLOTS = (
    "Each slot has a walsender of its own, which decodes the whole log by itself. What the second one costs depends on what is published"
    " to it, and that is why the operational publication is narrow: with a tenth of the changes published, its walsender took 0.48 of"
    " the CPU of one with all of them (docs/reference/benchmarks.md; `make bench` measures it)."
)
_EXACTLY = "Exactly the tables that each lane reads, one publication a lane. Only the tables' owner can publish them."
# Tried on 15 to 18: tests/integration/cdc/test_column_lists.py.
_LISTS = (
    "WARNING: as long as {publication} lists columns of a table, PostgreSQL refuses to drop a listed column (with CASCADE the table"
    " leaves the publication) and to change its type; and after REPLICA IDENTITY FULL, or another key, it refuses the table's UPDATE and"
    " DELETE. Before such a change, publish the table whole, and run this plan again behind it:"
    " {statement};  The setting `column_lists: false` does without the lists, and publishes these tables whole."
)
_MORE = "{publication} has more of {tables} than the lane reads. That does no harm but costs the walsender's CPU; this narrows it: {statement};"

_ADMINISTRATOR = "an administrator"
_ROLE_TITLE = "The role"

_ROLE = """
SELECT rolsuper, rolreplication, rolcanlogin, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = %s
"""
_CONNECT = "SELECT has_database_privilege(%s, current_database(), 'CONNECT')"
_TABLES = """
SELECT n.nspname || '.' || c.relname, n.nspname, pg_get_userbyid(c.relowner), c.relrowsecurity,
    coalesce(has_schema_privilege(r.oid, n.oid, 'USAGE'), false), coalesce(has_table_privilege(r.oid, c.oid, 'SELECT'), false)
FROM unnest(%s::oid[]) WITH ORDINALITY AS wanted (oid, number)
JOIN pg_class c ON c.oid = wanted.oid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_roles r ON r.rolname = %s
ORDER BY wanted.number
"""
# Each captured table and each of its partitions whose updates and deletes could not be told apart, with an index that could
# stand for its key: unique, whole, immediate, and of columns that are never NULL (RelationGetReplicaIndex, CREATE PUBLICATION).
_WITHOUT_IDENTITY = """
SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner), (
    SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
        AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
            SELECT FROM generate_series(0, i.indnkeyatts - 1) AS k (n)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k.n] AND NOT a.attnotnull)
    ORDER BY i.indisprimary DESC, i.indnkeyatts, x.relname LIMIT 1)
FROM unnest(%s::oid[]) WITH ORDINALITY AS wanted (oid, number)
LEFT JOIN LATERAL pg_partition_tree(wanted.oid) AS part ON true
JOIN pg_class c ON c.oid = coalesce(part.relid, wanted.oid) AND c.relkind IN ('r', 'p')
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relreplident <> 'f' AND NOT EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END)
ORDER BY wanted.number, coalesce(part.level, 0), 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Steps that belong together. `notes`: what is to be known before, each a sentence or two."""

    title: str
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that a source's capture needs of its server, in order."""

    database: str
    role: str
    settings: tuple[Advice, ...]
    sections: tuple[Section, ...] = field(default=())

    @property
    def steps(self) -> list[Step]:
        """Every statement, in order."""
        return [step for section in self.sections for step in section.steps]


def role_of(settings: SourceSettings) -> str:
    """Return the role that capture connects as, by libpq's rules."""
    given = conninfo_to_dict(settings.connection.dsn).get("user")
    return str(given or os.environ.get("PGUSER") or getpass.getuser())


def plan(
    connection: PlainConnection,
    settings: SourceSettings,
    lanes: Mapping[Lane, str],
    wanted: Mapping[Lane, Wanted] | None = None,
) -> Plan:
    """Return what is missing for these lanes (with their slots' names); CausewayError SCHEMA for a table that is missing.

    `wanted`: what each lane wants published, else everything.
    """
    facts = server_facts(connection)
    role = role_of(settings)
    wanted = {lane: everything(settings, lane) for lane in lanes} | dict(wanted or {})
    captured = _captured(settings, lanes)
    names = tuple(dict.fromkeys((*captured, *(name for each in wanted.values() for name in each.names))))
    read = {*captured, *(name for each in wanted.values() for name in each.copied)}
    relations = describe(connection, names)
    oids = [relation.oid for relation in relations]
    tables = _query(connection, _TABLES, [oids, role])
    made = slots.status(connection, list(lanes.values()))
    owners = sorted({row[2] for row in tables})
    sections = [
        _role_section(connection, role, facts.database),
        _grants(
            connection, role, [row for row in tables if row[0] in read], sorted(_type_schemas(connection, relations))
        ),
        _identities(connection, oids, publications.generated_identities(connection, relations), wanted),
        _publications(connection, lanes, wanted, owners),
        _slots(connection, settings, lanes),
    ]
    advice = advise(connection, settings, len(lanes) - len(made))
    return Plan(database=facts.database, role=role, settings=tuple(advice), sections=tuple(sections))


def _captured(settings: SourceSettings, lanes: Mapping[Lane, str]) -> tuple[str, ...]:
    """The tables of the settings; of Odoo's own database the operational lane has a list of its own."""
    own_list = settings.role is SourceRole.ERP and Lane.ANALYTICAL not in lanes
    return () if own_list else settings.table_names


def _role_section(connection: PlainConnection, role: str, database: str) -> Section:
    found = connection.execute(_ROLE, [role]).fetchone()
    steps = []
    name = sql.Identifier(role)
    if found is None:
        reason = "REPLICATION: it reads the log through its slots. Nothing else: it owns nothing, writes nothing, creates nothing"
        steps.append(_step(connection, sql.SQL("CREATE ROLE {} LOGIN REPLICATION").format(name), reason))
    elif not found[0] and not (found[1] and found[2]):
        steps.append(_step(connection, sql.SQL("ALTER ROLE {} LOGIN REPLICATION").format(name), "it reads the log"))
    if found is None or connection.execute(_CONNECT, [role]).fetchone() != (True,):
        grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), name)
        steps.append(_step(connection, grant, "where PUBLIC's right to connect was taken away"))
    return Section(title=_ROLE_TITLE, notes=tuple(_role_notes(role, found)), steps=tuple(steps))


def _role_notes(role: str, found: Row | None) -> list[str]:
    quoted = sql.Identifier(role).as_string(None)
    notes = [
        f"Its password: `psql -v causeway_password=...` sets it here; better, `\\password {quoted}` asks for it and sends a hash.",
        (
            "pg_hba.conf: one line for this role and this database serves both of its kinds of connection. Give it no line with the"
            " database `replication`: that would let a role with REPLICATION copy the whole cluster (pg_basebackup)."
        ),
        "A role with REPLICATION can drop any slot of the cluster. PostgreSQL has no smaller right to read the log.",
        (
            "To let `causeway slots status` see how far the server has sent: GRANT pg_read_all_stats (it also shows other sessions'"
            " queries; without it that one figure comes from the lane)."
        ),
    ]
    names = ("SUPERUSER", "", "", "BYPASSRLS", "CREATEROLE", "CREATEDB")
    more = [name for name, has in zip(names, found or (), strict=False) if has and name]
    if more:
        notes.insert(0, f"WARNING: the role is there and may more than capture needs: {', '.join(more)}.")
    return notes


def _grants(connection: PlainConnection, role: str, tables: Sequence[Row], type_schemas: Sequence[str]) -> Section:
    name = sql.Identifier(role)
    lacking = [row[1] for row in tables if not row[4]]
    schemas = sorted(set(lacking) | set(type_schemas))
    steps = [
        _step(
            connection,
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), name),
            "its tables, or their types, are named through it",
        )
        for schema in schemas
    ]
    unread = [row[0] for row in tables if not row[5]]
    if unread:
        listed = sql.SQL(", ").join(sql.Identifier(*table.split(".", 1)) for table in unread)
        reason = "the snapshot, verification and looked-up rows read exactly these tables"
        grant = sql.SQL("GRANT SELECT ON TABLE {} TO {}").format(listed, name)
        steps.append(Step(statement=grant.as_string(connection), reason=reason, who=_owners_words(tables)))
    secured = [row[0] for row in tables if row[3]]
    if secured:
        reason = f"row security is on for {', '.join(secured)}: its policies would hide rows from the snapshot that the log has"
        steps.append(_step(connection, sql.SQL("ALTER ROLE {} BYPASSRLS").format(name), reason))
    return Section(title="What it may read", steps=tuple(steps))


def _identities(
    connection: PlainConnection,
    oids: Sequence[int],
    generated: Sequence[tuple[str, str, bool]],
    wanted: Mapping[Lane, Wanted],
) -> Section:
    steps, whole = [], set()
    for table, owner, index in _query(connection, _WITHOUT_IDENTITY, [list(oids)]):
        named = sql.Identifier(*table.split(".", 1))
        if index is not None:
            statement = sql.SQL("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}").format(named, sql.Identifier(index))
            reason = f"{table} has no primary key; this unique index tells its rows apart. Only its columns are logged, as for a key"
        else:
            whole.add(table)
            statement = sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(named)
            reason = (
                f"{table} has no primary key, and no unique index of columns that are never NULL. The cost: every UPDATE and DELETE"
                " logs the whole old row, TOASTed values included. A primary key is better"
            )
        steps.append(Step(statement=statement.as_string(connection), reason=reason, who=f"{owner}, its owner"))
    notes = ["Published without one, a table's UPDATE and DELETE fail at the source."] if steps else []
    for each in wanted.values():
        for text, reason, owner in identity_steps(connection, each):
            steps.append(Step(statement=text.as_string(connection), reason=reason, who=f"{owner}, its owner"))
    notes += [
        f"WARNING: {table.name} is known in the log by ({', '.join(table.identity)}). While it is published, that index must stay: without"
        " it the table's UPDATE and DELETE fail. DROP PUBLICATION comes before an upgrade that makes the index anew"
        for each in wanted.values()
        for table in each.tables
        if table.identity
    ]
    notes += [
        f"WARNING: the replica identity of {table} has the generated column {column}. Published, its UPDATE and DELETE fail at the source:"
        " give it a primary key of other columns and REPLICA IDENTITY DEFAULT before, or leave the table out"
        for table, column, only_full in generated
        if not only_full or table in whole
    ]
    return Section(title="Replica identities", notes=tuple(notes), steps=tuple(steps))


def _publications(
    connection: PlainConnection, lanes: Mapping[Lane, str], wanted: Mapping[Lane, Wanted], owners: Sequence[str]
) -> Section:
    who = f"{owners[0]}, who owns the tables and needs CREATE on the database" if len(owners) == 1 else ""
    who = who or f"an administrator: the tables belong to {', '.join(owners)}"
    steps = tuple(
        Step(statement=statement.as_string(connection), reason=reason, who=who)
        for lane, slot in lanes.items()
        for statement, reason in slots.publication_steps(connection, wanted[lane], lane, slot)
    )
    notes = [note for lane, slot in lanes.items() for note in _publication_notes(connection, wanted[lane], slot)]
    return Section(title="Publications", notes=(*((_EXACTLY,) if steps else ()), *notes), steps=steps)


def _publication_notes(connection: PlainConnection, wanted: Wanted, slot: str) -> list[str]:
    """What a column list does to the table's own statements; and what narrows a publication that has more than is read."""
    listed = with_identities(connection, wanted)
    found = publications.find_publication(connection, slot)
    notes = []
    if any(table.columns is not None for table in listed.tables):
        whole = replace(listed, tables=tuple(replace(table, columns=None) for table in listed.tables))
        statement = publications.set_statement(slot, whole.tables).as_string(connection)
        notes.append(_LISTS.format(publication=slot, statement=statement))
    if found is not None and not wanted.exact and (more := publications.excess(found, listed)):
        statement = publications.set_statement(slot, listed.tables, found.tables).as_string(connection)
        notes.append(_MORE.format(publication=slot, tables=", ".join(more), statement=statement))
    return notes


def _slots(connection: PlainConnection, settings: SourceSettings, lanes: Mapping[Lane, str]) -> Section:
    steps = tuple(
        Step(statement=statement.as_string(connection), reason=reason, who="an administrator, or the role itself")
        for lane, slot in lanes.items()
        for statement, reason in slots.slot_steps(connection, settings, lane, slot)
    )
    notes = [
        "From here on the server keeps WAL until a lane has confirmed it: leave these two out to have the lanes' first run make them."
    ]
    if len(lanes) > 1:
        notes.append(TWO_SLOTS)
    return Section(title="Slots", notes=tuple(notes) if steps else (), steps=steps)


def _type_schemas(connection: PlainConnection, relations: Sequence[object]) -> set[str]:
    """Schemas of output functions that the snapshot calls by name."""
    functions = output_functions(connection, relations)  # type: ignore[arg-type]
    names = {identifier.as_string(connection).split(".")[0].strip('"') for identifier in functions.values()}
    return names - {"pg_catalog"}


def _owners_words(tables: Sequence[Row]) -> str:
    return f"{', '.join(sorted({row[2] for row in tables}))}, or {_ADMINISTRATOR}"


def _step(connection: PlainConnection, statement: sql.Composed, reason: str) -> Step:
    return Step(statement=statement.as_string(connection), reason=reason, who=_ADMINISTRATOR)


def _query(connection: PlainConnection, query: str, parameters: Sequence[object]) -> list[Row]:
    try:
        return connection.execute(query.encode(), parameters).fetchall()
    except psycopg.Error as error:
        raise translate(error, "reading the captured tables' owners and keys") from error


def script(source: str, plan: Plan) -> str:
    """Write a plan as psql reads it. What it holds besides statements are comments, and a look at the database's name."""
    database = sql.Literal(plan.database).as_string(None)
    lines = [
        _comment(f"What capture of {source} needs of its server. Run by psql, as who is named at each statement:"),
        _comment(f"  causeway slots plan {source} | psql -d {plan.database}"),
        r"\set ON_ERROR_STOP on",
        f"DO $$ BEGIN IF current_database() <> {database} THEN RAISE 'this plan is for another database'; END IF; END $$;",
        "",
        "-- Settings to look at",
    ]
    for each in plan.settings:
        lines += _advice_lines(each)
    for section in plan.sections:
        lines += ["", f"-- {section.title}", *map(_comment, section.notes)]
        if not section.steps:
            lines.append("-- nothing is missing")
        for step in section.steps:
            lines += [_comment(f"{step.reason}."), _comment(f"  run by {step.who}"), f"{step.statement};"]
        if section.title == _ROLE_TITLE:
            lines += _password_lines(plan.role)
    return "\n".join(lines)


def _comment(text: str) -> str:
    """Keep to one line: a table's name may hold a line break, and what follows it would be run."""
    return f"-- {' '.join(text.splitlines())}"


def _advice_lines(advice: Advice) -> list[str]:
    mark = {"fine": "", "advised": "WARNING: ", "needed": "NEEDED: "}[advice.verdict]
    lines = [_comment(f"{advice.name} = {advice.value or 'empty'}: {mark}{advice.reason}.")]
    if advice.change:
        after = "restart" if advice.restart else "SELECT pg_reload_conf()"
        lines.append(_comment(f"  {advice.change};  -- then {after}"))
    return lines


def _password_lines(role: str) -> list[str]:
    return [
        r"\if :{?causeway_password}",
        f"ALTER ROLE {sql.Identifier(role).as_string(None)} PASSWORD :'causeway_password';",
        r"\endif",
    ]

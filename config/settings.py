"""The settings models: one tree, validated whole before any connection opens.

Contract: this module knows no file, no environment and no driver. `config.loading` reads the YAML file, lays the environment
over it and reports every mistake by its dotted field. Secrets are `SecretStr`: they print masked.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from config.history import History
from config.policies import Policies

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TABLE = re.compile(r"[^.]+\.[^.]+")
_WILDCARD = re.compile(r"[*?]")
# What an Odoo database has by the million rows and nobody reconciles: messages and their followers, the bus, files, jobs, logs,
# views. Its wizards' tables are left out too, see cdc.discovery.
ODOO_NOISE = (
    "public.mail_message*", "public.mail_notification*", "public.mail_tracking_value", "public.mail_followers*",
    "public.mail_mail*", "public.bus_*", "public.ir_attachment", "public.ir_cron*", "public.ir_logging", "public.ir_ui_view*",
    "public.ir_act_*", "public.ir_model", "public.ir_model_[acfir]*", "public.ir_asset", "public.ir_profile", "public.ir_ui_menu*", "public.ir_module_*",
    "public.res_users_log", "public.web_tour_*", "public.discuss_*",
)  # fmt: skip
_RESERVED_SOURCES = frozenset({"meta", "canonical", "mart", "recon", "history", "main", "temp", "information_schema"})


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be lower case letters, digits and underscores, at most 31, and begin with a letter")
    return value


Name = Annotated[str, AfterValidator(_check_name)]


class Model(BaseModel):
    """Base of all settings: unknown fields are mistakes, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lane(StrEnum):
    """The two lanes; they share no queue, slot, transaction or process."""

    OPERATIONAL = "operational"
    ANALYTICAL = "analytical"


class SourceRole(StrEnum):
    """What a source is to the distributor.

    channel: sells (its orders are reconciled with Odoo). warehouse: ships. erp: Odoo's own database. state: the bridge's own.
    Only channels and warehouses are delivered to Odoo; all are mirrored. What Odoo's own log says confirms the deliveries.
    """

    CHANNEL = "channel"
    WAREHOUSE = "warehouse"
    ERP = "erp"
    STATE = "state"


class Connection(Model):
    """A Postgres connection: libpq's connection string or URI without the password, and the password apart."""

    dsn: str = Field(
        description="libpq connection string or URI, without a password; keepalives and tcp_user_timeout in it take the place of a minute"
    )
    password: SecretStr | None = Field(default=None, description="from the environment or a file only")
    connect_timeout_s: int = Field(default=10, ge=1, le=300, description="seconds to wait for a connection")

    @field_validator("dsn")
    @classmethod
    def _no_password_in_dsn(cls, value: str) -> str:
        if re.search(r"password\s*=|://[^/@:]+:[^@/]+@", value):
            raise ValueError("holds a password; give it as `password: {env: NAME}` or `password: {file: PATH}`")
        return value


class TableSettings(Model):
    """One captured table."""

    name: str = Field(
        description="schema.table, as Postgres writes it without quotes; * and ? in the table's part stand for any tables"
    )
    row_filter: str | None = Field(default=None, description="WHERE of the operational publication (SQL of the source)")
    history: History | None = Field(default=None, description="as of the source, for this table")

    @field_validator("name")
    @classmethod
    def _schema_and_table(cls, value: str) -> str:
        if not _TABLE.fullmatch(value):
            raise ValueError("must be schema.table")
        if _WILDCARD.search(value.partition(".")[0]):
            raise ValueError("must name one schema: * and ? may stand in the table's part only")
        return value

    @model_validator(mode="after")
    def _filter_of_one_table(self) -> TableSettings:
        if self.is_pattern and self.row_filter:
            raise ValueError("a row_filter belongs to one table: name it")
        return self

    @property
    def is_pattern(self) -> bool:
        """Whether the name stands for any number of tables, which the source's catalog tells (`cdc.discovery`)."""
        return _WILDCARD.search(self.name) is not None


class GuardSettings(Model):
    """What is done about a slot that keeps much WAL on the source. Only the analytical slot is ever dropped."""

    warn_bytes: int | None = Field(
        default=None, gt=0, description="retained WAL past which a slot is warned of; none: not watched"
    )
    drop_bytes: int | None = Field(
        default=None, gt=0, description="retained WAL past which the analytical slot is dropped, with `drop_analytical`"
    )
    drop_analytical: bool = Field(
        default=False, description="whether it may be dropped to save the source; the lane is rebuilt afterwards"
    )

    @model_validator(mode="after")
    def _in_order(self) -> GuardSettings:
        if self.drop_analytical and self.drop_bytes is None:
            raise ValueError("drop_analytical needs drop_bytes")
        if self.warn_bytes is not None and self.drop_bytes is not None and self.drop_bytes < self.warn_bytes:
            raise ValueError("drop_bytes must not be less than warn_bytes")
        return self


class SourceSettings(Model):
    """One captured database."""

    kind: Literal["postgres"] = Field(default="postgres", description="kind of the database")
    role: SourceRole = Field(description="channel, warehouse, erp or state")
    connection: Connection = Field(description="how to reach it, with a role that may replicate")
    tables: tuple[TableSettings, ...] = Field(min_length=1, description="captured tables, each schema.table")
    exclude: tuple[str, ...] | None = Field(
        default=None,
        description="tables that patterns leave out; none given: of an erp source Odoo's messages, bus, files, jobs, logs, views"
        " and wizards, of others none",
    )
    slot_prefix: Name = Field(default="causeway", description="slots and publications are named PREFIX_SOURCE_LANE")
    column_lists: bool = Field(
        default=True,
        description="publish to the operational lane only the columns that its mappings read; false: whole tables, so that no"
        " change of a column has to wait for the publication",
    )
    failover: bool = Field(
        default=False, description="make slots that a standby keeps a copy of, from PostgreSQL 17 on"
    )
    history: History | None = Field(default=None, description="as warehouse.history, for the tables of this source")
    heartbeat_s: float | None = Field(
        default=None,
        gt=0,
        description="seconds between messages in the source's log, so that idle slots move on; none: none",
    )
    slot_disk_limit_bytes: int | None = Field(
        default=None,
        gt=0,
        description="WAL that the source's disk can hold, for forecasts; none: max_slot_wal_keep_size alone",
    )
    guard: GuardSettings = GuardSettings()
    timezone: str = Field(default="UTC", description="IANA zone of its local times, for mappings")
    priority: int = Field(
        default=100, ge=0, description="whose record wins where two sources know one thing; lowest first"
    )
    confirms: bool = Field(
        default=True,
        description="of an erp source: whether the operational lane reads its log, by a small slot of its own, to confirm deliveries",
    )

    @field_validator("tables", mode="before")
    @classmethod
    def _plain_names(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return tuple({"name": item} if isinstance(item, str) else item for item in value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("is not an IANA time zone") from None
        return value

    @field_validator("exclude")
    @classmethod
    def _excluded_names(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        wrong = [name for name in value or () if not _TABLE.fullmatch(name)]
        if wrong:
            raise ValueError(f"must be schema.table, each: {', '.join(wrong)}")
        return value

    @model_validator(mode="after")
    def _state_by_name(self) -> SourceSettings:
        if self.role is SourceRole.STATE and any(table.is_pattern for table in self.tables):
            raise ValueError("tables of the state database are named one by one: the first lane to run makes them")
        return self

    @model_validator(mode="after")
    def _each_table_once(self) -> SourceSettings:
        names = [table.name for table in self.tables]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"tables named twice: {', '.join(twice)}")
        return self

    @property
    def excluded(self) -> tuple[str, ...]:
        """What the patterns among `tables` leave out, each schema.table with * and ?."""
        if self.exclude is not None:
            return self.exclude
        return ODOO_NOISE if self.role is SourceRole.ERP else ()

    @property
    def table_names(self) -> tuple[str, ...]:
        """Captured tables, each schema.table; patterns among them until `causeway.sources.with_tables` has found what they mean."""
        return tuple(table.name for table in self.tables)

    @property
    def row_filters(self) -> dict[str, str]:
        """WHERE clauses of the operational publication by schema.table."""
        return {table.name: table.row_filter for table in self.tables if table.row_filter}


SMALLEST_BATCH_BYTES = 2**16
FULL_BATCHES = 2


class CaptureSettings(Model):
    """Bounds of a reader. Memory of one reader stays below about four times `batch_bytes`; see `shared_by`."""

    batch_rows: int = Field(default=50_000, ge=1, description="rows after which a batch is closed at the next commit")
    batch_bytes: int = Field(
        default=8 * 2**20,
        ge=SMALLEST_BATCH_BYTES,
        le=2**30,
        description="bytes after which a batch is closed; the readers of a lane with more than two sources share twice as many",
    )
    batch_wait_ms: int = Field(
        default=20,
        ge=1,
        description="how long what was received may wait for more before it is handed to an idle lane; "
        "five times as long while much keeps coming",
    )
    status_interval_s: float = Field(default=5.0, gt=0, description="seconds between standby status messages")
    snapshot_workers: int = Field(
        default=2, ge=1, le=16, description="connections that copy a snapshot's tables at once"
    )
    max_rows_s: int | None = Field(
        default=None, ge=1, description="rows a second that snapshots and copies of tables read at most; null: no limit"
    )
    reconnect_first_s: float = Field(default=0.5, gt=0, description="first wait before a new connection")
    reconnect_longest_s: float = Field(default=30.0, gt=0, description="longest wait before a new connection")
    longest_hold_s: float = Field(
        default=20.0, gt=0, description="longest time that a verification or repair may hold the capture of a source"
    )

    def shared_by(self, readers: int) -> CaptureSettings:
        """Return the settings of each of a lane's readers: together they hold batches no larger than FULL_BATCHES of them would."""
        share = self.batch_bytes * FULL_BATCHES // max(readers, FULL_BATCHES)
        return self.model_copy(update={"batch_bytes": max(SMALLEST_BATCH_BYTES, share)})


class StateSettings(Model):
    """The bridge's own Postgres: outbox, crosswalk, positions of the operational lane."""

    connection: Connection = Field(description="how to reach it")
    db_schema: Name = Field(default="causeway", alias="schema", description="schema of the bridge's tables")

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CallTimeouts(Model):
    """Seconds to wait for a reply, by kind of call; never more than `odoo.timeout_s`, which is also what none means."""

    login_s: float | None = Field(default=30.0, gt=0, description="logging in, asking for the version")
    read_s: float | None = Field(
        default=60.0, gt=0, description="reading and searching; a lost reply is asked for again"
    )
    write_s: float | None = Field(default=None, gt=0, description="create, write and unlink")
    load_s: float | None = Field(default=None, gt=0, description="load() of up to odoo.batch_records records")
    action_s: float | None = Field(
        default=None, gt=0, description="buttons and wizards: confirm, validate, invoice, pay"
    )


class OdooSettings(Model):
    """The Odoo that the operational lane writes to."""

    url: str = Field(pattern=r"^https?://[^/]+(/.*)?$", description="base URL")
    database: str = Field(min_length=1, description="name of Odoo's database")
    user: str = Field(min_length=1, description="login of the integration user")
    password: SecretStr = Field(
        description="password (an API key opens no web session); from the environment or a file only"
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="key for JSON-2, from Odoo 19 on; none: the password is taken for one where JSON-2 is forced",
    )
    protocol: Literal["auto", "jsonrpc", "json2"] = Field(
        default="auto",
        description="auto: json2 where Odoo is 19 or later and an api_key is given, else jsonrpc in a web session",
    )
    prefix: Name = Field(default="causeway", description="module part of the external ids that the bridge writes")
    timeout_s: float = Field(
        default=120.0,
        gt=0,
        description="seconds to wait for a reply, and how long Odoo may go on with a call whose caller is gone: "
        "at least its limit_time_real",
    )
    timeouts: CallTimeouts = CallTimeouts()
    max_calls_s: float | None = Field(
        default=None,
        gt=0,
        description="calls a second of one deliverer at the most; none: no limit but what a 429 teaches",
    )
    burst_calls: int = Field(default=10, ge=1, description="calls that may go at once after a pause, with max_calls_s")
    batch_records: int = Field(default=500, ge=1, le=2000, description="records in one load() call")


class DeliverySettings(Model):
    """How the outbox is worked off."""

    poll_ms: int = Field(
        default=200, ge=10, description="wait between looks at an empty outbox, up to five times as long when idle"
    )
    retry_first_s: float = Field(default=0.5, gt=0, description="first wait after a failure that may pass")
    retry_longest_s: float = Field(default=60.0, gt=0, description="longest wait after failures")
    max_attempts: int = Field(default=10, ge=1, description="attempts at one record before it becomes a dead letter")
    keep_days: int | None = Field(
        default=None,
        ge=1,
        description="days that attempts, and settled records gone at their source, are kept; none: always",
    )
    read_back_s: float | None = Field(
        default=60.0,
        gt=0,
        description="seconds after which what no log of Odoo's has confirmed is read back from Odoo; none: never",
    )


class WarehouseSettings(Model):
    """The DuckDB store that the analytical lane writes."""

    path: Path = Field(description="DuckDB file")
    extracts: Path = Field(description="folder of the extracts")
    memory_limit: str = Field(
        default="128MB",
        pattern=r"^\d+(KB|MB|GB|KiB|MiB|GiB)$",
        description="DuckDB's memory limit in the analytical lane",
    )
    memory_limit_most: str = Field(
        default="1GB",
        pattern=r"^\d+(KB|MB|GB|KiB|MiB|GiB)$",
        description="what it grows to where rows change all over large tables: about 9 bytes a row of theirs",
    )
    query_memory_limit: str = Field(
        default="1GB",
        pattern=r"^\d+(KB|MB|GB|KiB|MiB|GiB)$",
        description="DuckDB's memory limit while the warehouse is queried, verified or reconciled",
    )
    history: History = Field(
        default="off", description="whether every change is kept: off, on, or a retention such as 30 days"
    )
    threads: int = Field(default=1, ge=1, description="DuckDB's threads; one leaves a core to the receiving threads")


class ReconcileSettings(Model):
    """Tolerances of the order reconciliation."""

    tolerance: str = Field(
        default="0.01", pattern=r"^\d+(\.\d+)?$", description="largest accepted difference of an order"
    )
    timing_minutes: int = Field(default=60, ge=0, description="a younger difference is timing, not a break")
    schedule: str | None = Field(default=None, description="cron expression, in UTC; none: only when asked")

    @field_validator("schedule")
    @classmethod
    def _cron_expression(cls, value: str | None) -> str | None:
        if value is not None:
            from config.schedule import cron_trigger  # apscheduler: a fifth of a second, for a setting that few have

            try:
                cron_trigger(value)
            except ValueError as error:
                raise ValueError(f"is not a cron expression: {error}") from None
        return value


class SlotWatchSettings(Model):
    """How the sources' slots are watched: by one of the running lanes, for both."""

    sample_s: float = Field(default=10.0, gt=0, description="seconds between looks at the slots")
    history_s: float = Field(default=60.0, gt=0, description="seconds between rows of meta.slot_status")
    history_days: int = Field(default=30, ge=1, description="days that rows of meta.slot_status are kept")


class MetricsSettings(Model):
    """Prometheus metrics of the lanes, each lane on a port of its own."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    operational_port: int | None = Field(
        default=None, ge=1, le=65535, description="port of the operational lane; none: off"
    )
    analytical_port: int | None = Field(
        default=None, ge=1, le=65535, description="port of the analytical lane; none: off"
    )

    def port(self, lane: Lane) -> int | None:
        """Return a lane's port, None where it serves no metrics."""
        return self.operational_port if lane is Lane.OPERATIONAL else self.analytical_port


class LogSettings(Model):
    """What the processes say of themselves, on standard error."""

    level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="lowest level")
    json_lines: bool = Field(default=False, description="one JSON object a line")


class Settings(Model):
    """All settings."""

    sources: dict[Name, SourceSettings] = Field(min_length=1, description="captured databases by name")
    state: StateSettings
    odoo: OdooSettings
    warehouse: WarehouseSettings
    mappings: tuple[Path, ...] = Field(min_length=1, description="folders of mapping SQL files and their maps.yaml")
    policies: Policies = Policies()
    capture: CaptureSettings = CaptureSettings()
    delivery: DeliverySettings = DeliverySettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    slots: SlotWatchSettings = SlotWatchSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    run_dir: Path = Field(description="folder where the lanes keep their status files")

    @field_validator("sources")
    @classmethod
    def _no_reserved_source(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        reserved = sorted(name for name in value if name in _RESERVED_SOURCES or name.startswith("history_"))
        if reserved:
            raise ValueError(f"{', '.join(reserved)}: the warehouse uses this name for a schema of its own")
        return value

    @field_validator("sources")
    @classmethod
    def _no_shared_mirrors(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        # The warehouse's schema of a source's tables, as in warehouse.names.
        owners: dict[str, str] = {}
        for name, source in value.items():
            for schema in {table.partition(".")[0] for table in source.table_names}:
                mirror = (name if schema in ("public", name) else f"{name}_{schema}").casefold()
                if (owner := owners.setdefault(mirror, name)) != name:
                    raise ValueError(f"{owner} and {name} would both be mirrored in the warehouse's schema {mirror}")
        return value

    @field_validator("sources")
    @classmethod
    def _one_confirms(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        confirming = [name for name, source in value.items() if source.role is SourceRole.ERP and source.confirms]
        if len(confirming) > 1:
            raise ValueError(
                f"{', '.join(confirming)} are all Odoo's database; give `confirms: false` to those that `odoo` does not name"
            )
        return value

    @field_validator("policies")
    @classmethod
    def _policies_of_sources(cls, value: Policies, info: ValidationInfo) -> Policies:
        known = set(info.data.get("sources", ()))
        unknown = sorted(set(value.channels) - known)
        owners = {one for each in value.owners.values() for one in (each.owner, *each.fields.values()) if one}
        unknown += sorted(owners - known - {"odoo"})
        if known and unknown:
            raise ValueError(f"name no source: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return value

    @field_validator("warehouse")
    @classmethod
    def _not_named_as_a_source(cls, value: WarehouseSettings, info: ValidationInfo) -> WarehouseSettings:
        # DuckDB names a database as its file; it then can't tell the database from a schema of that name.
        if value.path.stem in info.data.get("sources", ()):
            raise ValueError(f"path must not name the file as a source: {value.path.stem}")
        return value

    def sources_of(self, lane: Lane) -> dict[str, SourceSettings]:
        """Return the sources that a lane has a slot on: the operational one those that feed it, and Odoo's database."""
        if lane is Lane.ANALYTICAL:
            return dict(self.sources)
        return {
            name: source for name, source in self.sources.items() if name in self.feeding or name == self.confirming
        }

    @property
    def feeding(self) -> dict[str, SourceSettings]:
        """The channels and warehouses: what they say is delivered to Odoo."""
        wanted = (SourceRole.CHANNEL, SourceRole.WAREHOUSE)
        return {name: source for name, source in self.sources.items() if source.role in wanted}

    @property
    def confirming(self) -> str | None:
        """The source whose log confirms the deliveries: Odoo's own database."""
        erp = (name for name, source in self.sources.items() if source.role is SourceRole.ERP and source.confirms)
        return next(erp, None)

    def history_of(self, source: str, table: str) -> str:
        """Return what is kept of a table's changes: its own setting, its source's, or the warehouse's."""
        settings = self.sources[source]
        own = next((each.history for each in settings.tables if each.name == table), None)
        return own or settings.history or self.warehouse.history

    def slot_name(self, source: str, lane: Lane) -> str:
        """Return the name of a lane's slot, which is its publication's too."""
        return f"{self.sources[source].slot_prefix}_{source}_{lane.value}"

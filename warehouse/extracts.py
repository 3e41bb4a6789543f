"""Extracts of a reconciliation run: Parquet and CSV files that say themselves what they are of, and a manifest with checksums.

Contract: a run has a folder of its own. Every file appears whole or not at all (temporary name, then rename), the manifest last;
writing a run's extracts again replaces them. Every row carries the run id, the position of each source and the mappings' versions;
Parquet has them as key-value metadata as well. The marts are those of the moment of writing, and so is `as_of` in their files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from config.errors import CausewayError, ErrorKind
from warehouse.names import literal
from warehouse.reconciliation.run import read_as_of, read_mapping_versions
from warehouse.store import Warehouse, translate

MANIFEST = "manifest.json"
_FORMATS = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER"}


@dataclass(frozen=True, kw_only=True)
class _Table:
    """One table to write: `columns` and `order` are its SQL, `of_run` tells a run's own table from a mart."""

    name: str
    relation: str
    columns: str
    order: str
    of_run: bool


_TABLES = (
    _Table(name="orders", relation="recon.orders", columns="*", order="source, order_key", of_run=True),
    _Table(name="exceptions", relation="recon.exceptions", columns="*", order="entity, source, source_key, kind", of_run=True),
    _Table(name="orders_by_channel_day", relation="mart.orders_by_channel_day", columns="*", order="channel, day", of_run=False),
    _Table(
        name="fulfilment",
        relation="mart.fulfilment",
        columns="* EXCLUDE (is_final, has_substitute)",
        order="source, order_key",
        of_run=False,
    ),
)  # fmt: skip


def extract(warehouse: Warehouse, folder: Path, run_id: str) -> list[Path]:
    """Write the extracts of a run under ``folder/run_id``; return the files, the manifest last.

    CausewayError WAREHOUSE: no such run, or the folder cannot be written.
    """
    cursor = warehouse.cursor()
    try:
        cursor.execute("BEGIN")
        run = _read_run(cursor, run_id)
        target = _made(folder / run_id)
        now = {"as_of": read_as_of(cursor), "mapping_versions": read_mapping_versions(cursor)}
        files = []
        for table in _TABLES:
            stamp = {"run_id": run_id, **(run if table.of_run else now)}
            files += [_write(cursor, table, target, kind, stamp) for kind in _FORMATS]
        return [*(target / str(file["file"]) for file in files), _write_manifest(target, run_id, run, files)]
    except (duckdb.IOException, OSError) as error:
        raise _unwritable(folder, error) from error
    except duckdb.Error as error:
        raise translate(error, "writing extracts", run=run_id) from error
    finally:
        cursor.close()


def _read_run(cursor: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    try:
        row = cursor.execute("SELECT as_of, mapping_versions FROM recon.runs WHERE run_id = ?", [run_id]).fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None:
        raise CausewayError(
            ErrorKind.WAREHOUSE,
            f"The warehouse has no reconciliation run {run_id!r}.",
            hint="List them: causeway query 'SELECT run_id, started_at FROM recon.runs'.",
        )
    return {"as_of": json.loads(row[0]), "mapping_versions": json.loads(row[1])}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(
    cursor: duckdb.DuckDBPyConnection, table: _Table, folder: Path, kind: str, stamp: Mapping[str, Any]
) -> dict[str, Any]:
    """Write one file and return its entry in the manifest."""
    file = folder / f"{table.name}.{kind}"
    temporary = file.with_name(f".{file.name}.tmp")
    texts = {"run_id": stamp["run_id"], "as_of": _positions(stamp), "mapping_versions": _versions(stamp)}
    stamped = ", ".join(
        f"{literal(text)} AS {name}" for name, text in texts.items() if not (table.of_run and name == "run_id")
    )
    where = f"WHERE run_id = {literal(texts['run_id'])}" if table.of_run else ""
    query = f"SELECT {table.columns}, {stamped} FROM {table.relation} {where} ORDER BY {table.order}"
    options = _FORMATS[kind]
    if kind == "parquet":
        metadata = {"run_id": stamp["run_id"]} | {
            name: json.dumps(stamp[name]) for name in ("as_of", "mapping_versions")
        }
        pairs = ", ".join(f"{name}: {literal(text)}" for name, text in metadata.items())
        options += f", KV_METADATA {{{pairs}}}"
    try:
        counted = cursor.execute(f"COPY ({query}) TO {literal(str(temporary))} ({options})").fetchone()
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return {
        "file": file.name,
        "rows": int(counted[0]) if counted else 0,
        "bytes": file.stat().st_size,
        "sha256": _sha256(file),
        "as_of": stamp["as_of"],
    }


def _write_manifest(folder: Path, run_id: str, run: Mapping[str, Any], files: list[dict[str, Any]]) -> Path:
    manifest = {"run_id": run_id, "written_at": datetime.now(UTC).isoformat(), **run, "files": files}
    file = folder / MANIFEST
    temporary = file.with_name(f".{MANIFEST}.tmp")
    temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    temporary.replace(file)
    return file


def _positions(stamp: Mapping[str, Any]) -> str:
    return ";".join(f"{source}={at['lsn']}" for source, at in stamp["as_of"].items())


def _versions(stamp: Mapping[str, Any]) -> str:
    return ";".join(f"{name}={version}" for name, version in stamp["mapping_versions"].items())


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unwritable(folder: Path, error: Exception) -> CausewayError:
    reason = getattr(error, "strerror", None) or str(error).rsplit(": ", 1)[-1]
    return CausewayError(
        ErrorKind.WAREHOUSE,
        f"The extracts' folder {folder} cannot be written: {reason}.",
        hint="Set warehouse.extracts to a folder that this user may write, and look at the disk's space.",
    )

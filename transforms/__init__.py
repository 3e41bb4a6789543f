"""Canonical model, mappings (SQL over one source table, compiled by sqlglot), status maps, and the mapping of batches.

Imports config and cdc's data types. Knows no database but the in-memory DuckDB that computes a batch.
"""

from __future__ import annotations

from transforms.canonical import ENTITIES, record_from_json
from transforms.changes import AnyChange, Delete, Invalid, TruncateAll, Upsert
from transforms.compiled import CompiledMapping, view_sql
from transforms.compiler import compile_mappings
from transforms.mapper import BatchMapper
from transforms.mapping import Mapping, MappingError, load_mappings
from transforms.packs import pack_path
from transforms.record import CanonicalRecord, record_id
from transforms.scope import left_out

__all__ = [
    "ENTITIES",
    "AnyChange",
    "BatchMapper",
    "CanonicalRecord",
    "CompiledMapping",
    "Delete",
    "Invalid",
    "Mapping",
    "MappingError",
    "TruncateAll",
    "Upsert",
    "compile_mappings",
    "left_out",
    "load_mappings",
    "pack_path",
    "record_from_json",
    "record_id",
    "view_sql",
]

"""Canonical model, mappings (SQL over one source table, compiled by sqlglot), status maps, and the mapping of batches.

Imports config and cdc's data types. Knows no database but the in-memory DuckDB that computes a batch.
"""

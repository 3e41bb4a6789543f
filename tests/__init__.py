"""The tests: unit, integration (real PostgreSQL, real DuckDB), acceptance, faults and property."""

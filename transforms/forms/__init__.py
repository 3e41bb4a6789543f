"""How DuckDB holds Postgres's types: a module a family, and the table of them all (`transforms.forms.table`)."""

"""What the bridge can carry, measured against the wire and against Debezium on the same rows in one run: `python -m benchmarks`.

Benchmarks measure and print; they assert nothing, and no test asserts a time.
"""

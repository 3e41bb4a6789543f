"""The command line as a user runs it: a subprocess, its exit code, what it prints, and signals."""

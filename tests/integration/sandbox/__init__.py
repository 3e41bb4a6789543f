"""The integration tests of the sandbox."""

"""The unit tests of the sandbox."""

"""The unit tests of the orders file."""

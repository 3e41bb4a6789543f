"""The commands, a module a group; each parses its arguments, calls one function of the application and prints."""

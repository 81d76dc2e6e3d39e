"""The `digitflow` command."""

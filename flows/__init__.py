"""The flows: each file is one sentence of stages, and `cli.py` is the `digitflow` command."""

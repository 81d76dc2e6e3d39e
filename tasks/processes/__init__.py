"""Processes of their own for what a picture may end."""

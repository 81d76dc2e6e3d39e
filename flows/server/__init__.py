"""The Prefect servers that digitflow starts: who gets in, and how they begin and end."""

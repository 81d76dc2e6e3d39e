"""The flows as Prefect flows, what is shown of their runs, and `digitflow up`."""

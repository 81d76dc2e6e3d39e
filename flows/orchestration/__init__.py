"""The flows as Prefect flows, and the servers they run on."""

"""What is to be on a Prefect server, and how it gets there and stays as people want it."""

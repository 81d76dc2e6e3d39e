"""What a Prefect server and its workers need to run the flows."""

"""What keeps a home in order: models of an earlier digitflow, old runs, the results table."""

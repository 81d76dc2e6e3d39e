"""The stages: pure functions, arrays and paths in, values out. Nothing here imports Prefect."""

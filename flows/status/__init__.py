"""What serves, what was read, what waits: found out without Prefect, and said in words."""

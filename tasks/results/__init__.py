"""The results table: its columns, commits, compaction and what is still to be read."""

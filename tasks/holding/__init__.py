"""Batches that do not count before somebody or something has decided so: rows, record, release."""

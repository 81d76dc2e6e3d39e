"""Zip and tar archives, member by member, at a cost that their size bounds."""

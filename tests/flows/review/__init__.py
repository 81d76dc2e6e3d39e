"""Tests of the page of review and its server."""

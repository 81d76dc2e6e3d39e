"""Tests of what waits for a person, and of what people say."""

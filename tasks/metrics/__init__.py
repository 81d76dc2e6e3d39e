"""Shares with bounds, calibration, tests: numpy in, values out."""

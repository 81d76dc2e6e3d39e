"""The flows: each file reads as what happens, stage after stage."""

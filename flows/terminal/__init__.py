"""What flows show in a terminal: lines, bars and tables."""

"""Where things lie, and the typed settings of each flow."""

"""The stages of the line, in rooms; see CONTRIBUTING for who may import whom."""

"""The page on which people look at what waits for them, and its server."""

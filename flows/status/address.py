"""Where the page is that says what serves: the same on every Prefect server."""

STATUS_KEY = "status"  # of the artifact
STATUS_PAGE = f"/artifacts/key/{STATUS_KEY}"
STATUS_LINK = f"[What serves, what waits]({STATUS_PAGE})"  # in markdown

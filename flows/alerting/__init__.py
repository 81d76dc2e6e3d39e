"""What a Prefect server is told: status page, events, automations, and whom it alerts."""

"""VTEX: its client, and the poller that reads customers and orders."""

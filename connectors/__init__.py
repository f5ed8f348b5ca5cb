"""The edges: one folder for each system on the other side."""

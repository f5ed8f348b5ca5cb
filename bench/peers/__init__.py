"""The peers: each a process that prints `START` and `END`, having done the same job durably."""

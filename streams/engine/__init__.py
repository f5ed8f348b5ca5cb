"""The engine: Faust agents that take batches and are exactly once. Start at `agent.py`, then `transaction.py`."""

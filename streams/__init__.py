"""The middle: the Faust worker, one file for each agent and its tables, and the engine that makes them exactly once."""

"""The pure rules of the tracking agent: what an event means, and whether it was told before."""

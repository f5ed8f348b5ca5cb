"""The pure rules of the agents customers and orders: what reads of VTEX mean together, in any order of arrival."""

"""The rules of the profiles agent: what each destination is told of a customer, when, and what its answer means."""

"""The pure rules of the erasure agent: what of each table is a person's, and what stays without them."""

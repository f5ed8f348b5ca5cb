"""A small shop that carries the pixel and posts what VTEX's storefront posts (contracts/vtex NOTES 6)."""

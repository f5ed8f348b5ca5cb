"""The sandbox's VTEX: one account's Master Data, orders, feed, hook and keys, as contracts/vtex NOTES tells them."""

"""Stand-ins for VTEX, Hellotext, Infobip and a storefront, and a shop's life with its own ledger; a stranger to the product."""

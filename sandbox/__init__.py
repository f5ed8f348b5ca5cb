"""Stand-ins for VTEX, Hellotext, Infobip and a storefront, and a shop's life; a stranger to the product."""

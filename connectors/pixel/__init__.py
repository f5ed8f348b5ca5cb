"""The collector: pages, shop back ends, vendors' webhooks and VTEX's hooks come in here, and land in Kafka."""

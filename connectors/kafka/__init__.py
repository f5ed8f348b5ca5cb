"""Kafka, the real one: an embedded broker, topics, connections, committed readers, the directory of stores."""

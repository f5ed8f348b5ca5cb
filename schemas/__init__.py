"""What flows: events, rows and topics. Pure data; imports nothing else of ours."""

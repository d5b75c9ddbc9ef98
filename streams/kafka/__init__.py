"""Plain Kafka clients and topics: address and security, names, making, ends, identity."""

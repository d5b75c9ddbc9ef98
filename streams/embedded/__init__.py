"""A real Kafka and PostgreSQL on this machine, and the processes of the whole system."""

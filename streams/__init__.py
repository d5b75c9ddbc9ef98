"""What is wired: brokers, databases, processes and commands, one folder a concern. Nothing imports it."""

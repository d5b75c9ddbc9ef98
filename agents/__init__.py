"""What happens per message, one folder a role; brokers, tables and clocks are given as Protocols (ports.py)."""

"""The state of one GPU: its minute, its hour, its windows and counters, and how they are packed."""

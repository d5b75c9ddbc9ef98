"""The thermal, memory, power and link scores, the evidence that caps them, and their explanation."""

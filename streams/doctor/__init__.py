"""What is wrong, the evidence, and the command that mends it."""

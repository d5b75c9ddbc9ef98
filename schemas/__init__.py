"""What travels: messages, samples, records, their names, units and errors. Imports nothing of ours."""

"""A simulated fleet: physics, load and faults, as a function of its seed."""

"""Ways into the raw topic: collectors, recordings, the simulator, and the producer that they share."""

"""Role notify's ways out: receivers, signatures, the durable outbox, the senders."""

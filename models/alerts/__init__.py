"""Rules, their life cycle and their records: what is wrong with a GPU. Who is woken: agents/notify."""

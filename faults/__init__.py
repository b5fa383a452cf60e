"""A running outbox, and all that goes wrong on purpose -> how many posts were doubled, lost or stuck."""

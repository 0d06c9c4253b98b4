"""What travels over NATS: subjects, streams and messages. Pure: no I/O, no clock, no random source."""

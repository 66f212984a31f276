//! Layer 7: the Kafka front end.

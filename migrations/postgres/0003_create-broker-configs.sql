-- Settings of brokers that were changed while they ran.

CREATE TABLE broker_configs (
    -- -1: every broker's.
    broker_id BIGINT NOT NULL CHECK (broker_id >= -1),
    name      TEXT   NOT NULL,
    value     TEXT   NOT NULL,
    PRIMARY KEY (broker_id, name)
);

-- The trace that a message or an event belongs to, as W3C's `traceparent`: whoever goes on with it joins the trace.
ALTER TABLE outbound ADD COLUMN traceparent TEXT;
ALTER TABLE events ADD COLUMN traceparent TEXT;

-- Which process counts what the metrics say of all. One row.
CREATE TABLE census (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    holder BLOB,
    held_until BIGINT NOT NULL
);
INSERT INTO census (id, held_until) VALUES (1, 0);

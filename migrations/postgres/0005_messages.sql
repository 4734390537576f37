-- A user's events in their order: what somebody who follows them reads on from.
CREATE INDEX events_by_user ON events (user_id, id);

-- The same rule as before; in this order it also finds a session's message by its id.
DROP INDEX events_once;
CREATE UNIQUE INDEX events_once ON events (session_id, message_id, chat, sender) WHERE message_id IS NOT NULL;

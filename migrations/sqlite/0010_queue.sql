-- Whether a message is the first of its chat that waits: asked for each one that is accepted.
CREATE INDEX outbound_queue_by_chat ON outbound (session_id, chat) WHERE state = 'queued';

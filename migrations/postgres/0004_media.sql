-- Files of messages that came in. A file is fetched after its event is stored, so a row begins as a promise; its
-- event's deliveries wait for it. Outlives the session.
CREATE TABLE media (
    id UUID PRIMARY KEY,
    session_id UUID NOT NULL,
    user_id BIGINT NOT NULL,
    event_id UUID NOT NULL,
    message_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'stored', 'missing', 'removed')),
    kind TEXT NOT NULL,
    -- Sealed: where WhatsApp has it, the keys to it, and what its sender says about it. Gone once it is fetched.
    source BYTEA,
    -- What it is served as.
    name TEXT,
    mime_type TEXT,
    -- What its sender calls it.
    file_name TEXT,
    size BIGINT,
    sha256 TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL,
    -- Why it is missing, or was not fetched so far.
    failure TEXT,
    created_at BIGINT NOT NULL,
    stored_at BIGINT
);
CREATE UNIQUE INDEX media_by_name ON media (session_id, name) WHERE name IS NOT NULL;
CREATE INDEX media_named ON media (name, user_id) WHERE name IS NOT NULL;
CREATE INDEX media_pending ON media (session_id, next_attempt_at) WHERE state = 'pending';
CREATE INDEX media_awaited ON media (event_id) WHERE state = 'pending';
CREATE INDEX media_stored ON media (stored_at) WHERE state = 'stored';

-- Files of messages on their way out that WhatsApp's media host has: a retry sends the same message without another
-- upload.
CREATE TABLE outbound_media (
    message_id UUID PRIMARY KEY REFERENCES outbound (id) ON DELETE CASCADE,
    -- Sealed: where it is and the keys to it.
    upload BYTEA NOT NULL,
    uploaded_at BIGINT NOT NULL
);

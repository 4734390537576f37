-- Times are milliseconds since 1970 (UTC). Ids are UUIDv7. Nothing here is specific to one release of the
-- software: a later schema must still serve the code before it (expand, then contract).

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    password_version BIGINT NOT NULL DEFAULT 1,
    is_admin BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT NOT NULL
);

-- One row for one life of one session-runner process. Leases are counted by the database's clock.
CREATE TABLE runners (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    accepting BOOLEAN NOT NULL,
    capacity BIGINT NOT NULL CHECK (capacity > 0),
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL UNIQUE,
    wanted BOOLEAN NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('stopped', 'pairing', 'connecting', 'connected', 'reconnecting',
        'logged_out', 'replaced', 'banned', 'outdated', 'needs_passkey')),
    reason TEXT,
    since BIGINT NOT NULL,
    credentials_present BOOLEAN NOT NULL DEFAULT FALSE,
    phone TEXT,
    qr TEXT,
    qr_expires_at BIGINT,
    runner_id BLOB REFERENCES runners (id) ON DELETE SET NULL,
    -- Grows with every change of ownership; every write of the owner names it.
    token BIGINT NOT NULL DEFAULT 0,
    event_sequence BIGINT NOT NULL DEFAULT 0,
    last_message_at BIGINT,
    disconnected_since BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, name);
CREATE INDEX sessions_by_runner ON sessions (runner_id);
CREATE INDEX sessions_free ON sessions (id) WHERE runner_id IS NULL AND wanted;

-- The history of a session's states. Outlives the session.
CREATE TABLE session_events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id BLOB NOT NULL,
    user_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    runner_id BLOB
);
CREATE INDEX session_events_by_session ON session_events (session_id, position);

-- What the WhatsApp client library keeps: keys, Signal sessions, mappings. Values are sealed.
CREATE TABLE session_state (
    session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    -- Compared byte by byte.
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    -- A number that some kinds are looked up or merged by, such as a time.
    number BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT,
    PRIMARY KEY (session_id, kind, key)
) WITHOUT ROWID;

-- Messages on their way to WhatsApp.
CREATE TABLE outbound (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    session_id BLOB NOT NULL,
    user_id BIGINT NOT NULL,
    wa_id TEXT NOT NULL,
    chat TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'delivered', 'read', 'failed')),
    failure_code TEXT,
    failure_reason TEXT,
    idempotency_key TEXT,
    request_hash BLOB,
    accepted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    sent_at BIGINT,
    delivered_at BIGINT,
    read_at BIGINT
);
CREATE UNIQUE INDEX outbound_by_wa_id ON outbound (session_id, wa_id);
CREATE UNIQUE INDEX outbound_by_idempotency_key ON outbound (user_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX outbound_queue ON outbound (session_id, position) WHERE state = 'queued';

-- What happened and is told to webhooks. Outlives the session.
CREATE TABLE events (
    id BLOB PRIMARY KEY,
    session_id BLOB NOT NULL,
    user_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    chat TEXT,
    sender TEXT,
    message_id TEXT,
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX events_once ON events (session_id, chat, sender, message_id) WHERE message_id IS NOT NULL;

-- Where webhooks go. An endpoint without a user is the operator's.
CREATE TABLE endpoints (
    id BLOB PRIMARY KEY,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    layout TEXT NOT NULL CHECK (layout IN ('callback', 'base', 'plain')),
    url TEXT NOT NULL,
    -- The kinds of event it wants, each between commas: ',message,session,'.
    kinds TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    disabled_reason TEXT,
    -- Sealed: signs what is sent to it.
    secret BLOB,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX endpoints_of_contract ON endpoints (layout, COALESCE(user_id, 0)) WHERE layout <> 'plain';
CREATE INDEX endpoints_by_user ON endpoints (user_id);

CREATE TABLE deliveries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    event_id BLOB NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    endpoint_id BLOB NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    -- Deliveries of one key to one endpoint go out one after the other: a chat, or a session's states.
    ordering_key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'delivered', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL,
    claimed_until BIGINT,
    last_status INTEGER,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at, position) WHERE state = 'pending';
CREATE INDEX deliveries_claimed ON deliveries (claimed_until) WHERE state = 'claimed';
CREATE INDEX deliveries_in_order ON deliveries (endpoint_id, ordering_key, position)
    WHERE state IN ('pending', 'claimed');
CREATE INDEX deliveries_dead ON deliveries (endpoint_id, position) WHERE state = 'dead';
CREATE INDEX deliveries_by_event ON deliveries (event_id);

-- Each try of a delivery.
CREATE TABLE attempts (
    delivery_id BLOB NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    status INTEGER,
    -- The first bytes of the answer, or why there was none.
    answer TEXT,
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;

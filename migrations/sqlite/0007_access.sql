-- Who may call, besides with a name and a password; what was done by whom; links that let others scan.

-- Grows when a login or a key of the user ends: what processes remember about tokens is good for one version only.
ALTER TABLE users ADD COLUMN access_version BIGINT NOT NULL DEFAULT 0;

-- People who are logged in to the dashboard.
CREATE TABLE logins (
    -- A hash of the cookie's value.
    token BLOB PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- With another password it is worth nothing.
    password_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Written every few minutes, not with every request.
    seen_at BIGINT NOT NULL
);
CREATE INDEX logins_by_user ON logins (user_id);

-- Keys that programs call with.
CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- How it begins: its owner knows it by that.
    prefix TEXT NOT NULL,
    -- A hash of it.
    token BLOB NOT NULL UNIQUE,
    -- What it is for, each between commas: ',messages:send,messages:read,'.
    scopes TEXT NOT NULL,
    password_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Written every few minutes, not with every request.
    last_used_at BIGINT,
    expires_at BIGINT
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);

-- What was done, by whom, from where. Outlives its users.
CREATE TABLE audit (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT,
    address TEXT,
    detail TEXT
);
CREATE INDEX audit_by_actor ON audit (actor, position);
CREATE INDEX audit_by_action ON audit (action, position);

-- Links to a session's code are good for one version: it grows when they are revoked.
ALTER TABLE sessions ADD COLUMN share_version BIGINT NOT NULL DEFAULT 0;

-- A session's messages by time, for its list, its counts of today and its chart. SQLite counts without a look at the
-- rows only where the index has every column that is named, hence `kind`.
CREATE INDEX outbound_by_session ON outbound (session_id, accepted_at, position);
CREATE INDEX events_messages ON events (session_id, created_at, id, kind) WHERE kind = 'message';

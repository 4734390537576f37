-- How webhooks say who they come from, and what is needed to list, replay and clean up deliveries.

-- A user's settings. Secrets and tokens are sealed.
CREATE TABLE webhook_auth (
    user_id BIGINT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    type TEXT NOT NULL DEFAULT 'none' CHECK (type IN ('none', 'basic', 'bearer', 'oauth2')),
    username TEXT,
    password BYTEA,
    bearer_token BYTEA,
    client_id TEXT,
    client_secret BYTEA,
    token_url TEXT,
    scope TEXT,
    -- Access token and refresh token together.
    tokens BYTEA,
    token_expires_at BIGINT,
    token_renew_at BIGINT,
    -- Grows with every change of settings or tokens.
    version BIGINT NOT NULL DEFAULT 0,
    -- Who renews the tokens: grows with every claim, so that a claim that was lost stores nothing.
    renewal BIGINT NOT NULL DEFAULT 0,
    renewal_until BIGINT,
    -- Renewals that failed, one after the other, and when the next one may be tried.
    renewal_failures INTEGER NOT NULL DEFAULT 0,
    renewal_not_before BIGINT
);

-- Users who were sent to an authorization server and have not come back yet.
CREATE TABLE oauth2_authorizations (
    -- A hash: who reads the database cannot finish another user's authorization.
    state BYTEA PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    -- Sealed: PKCE's secret.
    verifier BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX oauth2_authorizations_by_user ON oauth2_authorizations (user_id);

ALTER TABLE endpoints ADD COLUMN description TEXT;
-- Sealed: signs as well until then, while receivers learn the new one.
ALTER TABLE endpoints ADD COLUMN previous_secret BYTEA;
ALTER TABLE endpoints ADD COLUMN previous_secret_until BIGINT;
-- Its owner removed it; the row stays as long as its deliveries do.
ALTER TABLE endpoints ADD COLUMN removed_at BIGINT;

-- Whose event it is; the version before does not fill it in.
ALTER TABLE deliveries ADD COLUMN user_id BIGINT;
-- Attempts made before the last replay: those after it are counted anew.
ALTER TABLE deliveries ADD COLUMN earlier_attempts INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET user_id = (SELECT e.user_id FROM events e WHERE e.id = deliveries.event_id);
CREATE INDEX deliveries_by_user ON deliveries (user_id, position);
CREATE INDEX deliveries_dead_by_user ON deliveries (user_id, position) WHERE state = 'dead';

-- What a user's session is called when no name is given; NULL: as the user.
ALTER TABLE users ADD COLUMN session_name TEXT;
-- How webhooks of the user log in at their receiver.
ALTER TABLE users ADD COLUMN webhook_auth_type TEXT NOT NULL DEFAULT 'none';
-- Since when the user is being removed: from then on it is nobody, and whoever comes by finishes the removal.
ALTER TABLE users ADD COLUMN deleted_at BIGINT;
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at IS NOT NULL;

-- The history of a user's sessions, also of those that are gone: what else they left is found by it.
CREATE INDEX session_events_by_user ON session_events (user_id, session_id);

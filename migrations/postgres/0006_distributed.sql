-- The oldest migration that code must know to run on this schema. A migration that only adds leaves it alone; one
-- that takes something away raises it to the migration that stopped using it. So the version before, which may still
-- run or start again during a rollout, knows whether it can.
CREATE TABLE schema_floor (migration BIGINT NOT NULL);
INSERT INTO schema_floor (migration) VALUES (1);

-- Every runner looks for these every second.
CREATE INDEX sessions_unwanted ON sessions (runner_id) WHERE runner_id IS NOT NULL AND NOT wanted;

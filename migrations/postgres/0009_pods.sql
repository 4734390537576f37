-- Where in a cluster a runner runs: for operators, and for whoever decides which pod goes.
ALTER TABLE runners ADD COLUMN pod TEXT;
ALTER TABLE runners ADD COLUMN node TEXT;

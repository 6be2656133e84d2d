-- A record that a complete sweep did not show is not told as deleted until it is looked for a second time.

-- What is thought of a record that sweeps do not show: `unseen` by one complete sweep, `held` back with many others, or `released` by a
-- person to be told at the next sweep that misses it. Null for one that was shown.
ALTER TABLE ledger ADD COLUMN suspicion TEXT CHECK (suspicion IN ('unseen', 'held', 'released'));
-- When the sweep began that did not show it first.
ALTER TABLE ledger ADD COLUMN unseen_at INTEGER;

-- For the list of what is held back, which is asked for over all records.
CREATE INDEX ledger_held ON ledger (action, record_id) WHERE suspicion IN ('held', 'released');

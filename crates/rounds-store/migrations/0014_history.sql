-- Why a record was told or not, beside what is known of it.

-- When it was seen first, and whether that was silent: the feed started from now, or a sweep looked for the first time. Null: from before
-- this was noted.
ALTER TABLE ledger ADD COLUMN first_seen_at INTEGER;
ALTER TABLE ledger ADD COLUMN first_silent INTEGER CHECK (first_silent IN (0, 1));
-- Whether the known state entered without being told.
ALTER TABLE ledger ADD COLUMN silent INTEGER CHECK (silent IN (0, 1));

-- What was told under a key of the user's own, such as a patient; the keys of records and actions are found by those.
CREATE INDEX deliveries_of_key ON deliveries (ordering_key) WHERE ordering_key GLOB 'key:*';

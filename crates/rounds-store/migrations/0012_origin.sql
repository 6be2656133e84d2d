-- Whether a record that is seen first is new, or was there before: what is known of its past.

-- When the feed's first successful round began. Null: it has had none, or had it before this was noted.
ALTER TABLE feeds ADD COLUMN began_at INTEGER;
-- What is known of the state before the one that is told: `none`, `known` or `unknown`. Null: as the kind says, from before this was noted.
ALTER TABLE containers ADD COLUMN former TEXT;
ALTER TABLE notifications ADD COLUMN former TEXT;

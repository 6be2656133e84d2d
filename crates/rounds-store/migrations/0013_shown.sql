-- Whether a feed has ever shown a record: what never did is probably asked wrongly.

-- How many records its rounds have shown. Null: it is older than this note.
ALTER TABLE feeds ADD COLUMN shown INTEGER;

-- What the configuration said when the state was made, so that an edit of it is noticed at the next start.

-- The rules that give an action's state its meaning, by name.
CREATE TABLE rules (
    action INTEGER NOT NULL REFERENCES actions (id),
    name   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    PRIMARY KEY (action, name)
) STRICT, WITHOUT ROWID;

-- Where the feed begins, if a person said so: now, beginning or an instant. Null: as the configuration says.
ALTER TABLE feeds ADD COLUMN start TEXT;

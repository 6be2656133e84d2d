-- What a person should look at, though the rounds do what they should: one row for each kind of a feed, until it is gone.
CREATE TABLE findings (
    action        INTEGER NOT NULL REFERENCES actions (id),
    feed          TEXT    NOT NULL,
    code          TEXT    NOT NULL,
    records       INTEGER NOT NULL,
    message       TEXT    NOT NULL,
    hint          TEXT    NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    PRIMARY KEY (action, feed, code)
) STRICT, WITHOUT ROWID;

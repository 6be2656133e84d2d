-- What each of several change queries of an action showed last of a record. Two lists of an EHR may each go on showing a state of
-- one record, and must not take turns in telling it.
CREATE TABLE views (
    action    INTEGER NOT NULL REFERENCES actions (id),
    feed      TEXT    NOT NULL,
    record_id TEXT    NOT NULL,
    version   BLOB    NOT NULL CHECK (length(version) = 16),
    PRIMARY KEY (action, feed, record_id)
) STRICT, WITHOUT ROWID;

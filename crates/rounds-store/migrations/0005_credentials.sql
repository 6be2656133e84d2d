-- Secrets that an EHR gave and that must outlive the process: the refresh token that is good now, one for each connection.
-- The database's files are readable by their owner alone, and no operator's command shows this table.
CREATE TABLE credentials (
    connection TEXT NOT NULL PRIMARY KEY,
    secret     TEXT NOT NULL,
    -- SHA-256 of the configured secret that it goes back to.
    origin     BLOB NOT NULL CHECK (length(origin) = 32)
) STRICT, WITHOUT ROWID;

-- A feed may be asked partition by partition, each with a row of its own; '' is the feed itself.
CREATE TABLE new_feeds (
    action            INTEGER NOT NULL REFERENCES actions (id),
    name              TEXT    NOT NULL,
    partition         TEXT    NOT NULL DEFAULT '',
    cursor_kind       TEXT    CHECK (cursor_kind IN ('time', 'number', 'token', 'dates', 'sweep')),
    -- A time is RFC 3339 text here and not a number: the source may show any year, and every digit counts.
    cursor_value      TEXT,
    -- The number of its current or last round, out of actions.rounds_begun.
    round             INTEGER NOT NULL DEFAULT 0,
    last_started_at   INTEGER,
    last_succeeded_at INTEGER,
    failures_in_a_row INTEGER NOT NULL DEFAULT 0,
    failure_code      TEXT,
    failure_message   TEXT,
    failure_hint      TEXT,
    missed_ticks      INTEGER NOT NULL DEFAULT 0,
    rounds            INTEGER NOT NULL DEFAULT 0,
    future_dated      INTEGER NOT NULL DEFAULT 0,
    -- What sweeps found, since the database was made; see FeedState.
    late              INTEGER NOT NULL DEFAULT 0,
    longest_late      INTEGER,
    undeclared        INTEGER NOT NULL DEFAULT 0,
    deleted           INTEGER NOT NULL DEFAULT 0,
    -- Of the last round only.
    held_back         INTEGER NOT NULL DEFAULT 0,
    partitions        INTEGER NOT NULL DEFAULT 0,
    failing           INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (action, name, partition)
) STRICT, WITHOUT ROWID;
INSERT INTO new_feeds (action, name, cursor_kind, cursor_value, round, last_started_at, last_succeeded_at,
     failures_in_a_row, failure_code, failure_message, failure_hint, missed_ticks, rounds, future_dated,
     late, longest_late, undeclared, deleted, held_back)
    SELECT action, name, cursor_kind, cursor_value, round, last_started_at, last_succeeded_at,
     failures_in_a_row, failure_code, failure_message, failure_hint, missed_ticks, rounds, future_dated,
     late, longest_late, undeclared, deleted, held_back
    FROM feeds;
DROP TABLE feeds;
ALTER TABLE new_feeds RENAME TO feeds;

-- Times are nanoseconds since 1970-01-01 UTC, lengths of time are nanoseconds, states and kinds are words, so that
-- an operator with a plain sqlite3 shell can read what stands here: datetime(due_at / 1000000000, 'unixepoch').

-- The name of this installation, made once.
CREATE TABLE instance (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    name TEXT NOT NULL
) STRICT;

-- Names that come again in every row elsewhere are numbers there.
CREATE TABLE lanes (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE actions (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    -- Where its containers wait. Null until its first commit.
    lane          INTEGER REFERENCES lanes (id),
    -- How many rows the ledger has for it: counted as they come, because counting ten million takes seconds.
    known_records INTEGER NOT NULL DEFAULT 0,
    -- Numbers the rounds of all its feeds, failed ones too.
    rounds_begun  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE feeds (
    action            INTEGER NOT NULL REFERENCES actions (id),
    name              TEXT    NOT NULL,
    cursor_kind       TEXT    CHECK (cursor_kind IN ('time', 'number', 'token', 'sweep')),
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
    PRIMARY KEY (action, name)
) STRICT, WITHOUT ROWID;

-- Whatever is big, so that the rows that are searched stay small. Who holds a body is told in bodies.rs. The columns
-- that name a body are no foreign keys on purpose: deleting a body would make SQLite search every ledger row for it.
CREATE TABLE bodies (
    id    INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE ledger (
    action    INTEGER NOT NULL REFERENCES actions (id),
    record_id TEXT    NOT NULL,
    version   BLOB    NOT NULL CHECK (length(version) = 16),
    body      INTEGER NOT NULL,
    -- When this version was committed.
    seen_at   INTEGER NOT NULL,
    PRIMARY KEY (action, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE containers (
    -- The order of the changes.
    sequence      INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    action        INTEGER NOT NULL REFERENCES actions (id),
    lane          INTEGER NOT NULL REFERENCES lanes (id),
    round         INTEGER NOT NULL,
    record_id     TEXT    NOT NULL,
    version       BLOB    NOT NULL CHECK (length(version) = 16),
    kind          TEXT    NOT NULL CHECK (kind IN ('created', 'updated')),
    ordering_key  TEXT    NOT NULL,
    record_body   INTEGER NOT NULL,
    previous_body INTEGER,
    state         TEXT    NOT NULL CHECK (state IN ('waiting', 'due', 'parked', 'dead', 'dropped')),
    due_at        INTEGER NOT NULL,
    claimed_until INTEGER,
    -- When it may be claimed. A claim hides it by moving this, so that claims never walk over what is claimed.
    available_at  INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(claimed_until, due_at)) VIRTUAL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    reason_code   TEXT,
    reason        TEXT,
    detected_at   INTEGER NOT NULL,
    -- When it was dropped.
    finished_at   INTEGER
) STRICT;

-- What can be claimed: neither what waits behind another nor what is dead or dropped is in it.
CREATE INDEX containers_claimable ON containers (lane, available_at) WHERE state IN ('due', 'parked');
-- Who is first of a key.
CREATE INDEX containers_open ON containers (action, ordering_key, sequence) WHERE state IN ('waiting', 'due', 'parked');
-- Who holds a body of a record, and what is there of a record.
CREATE INDEX containers_of_record ON containers (action, record_id);
CREATE INDEX containers_claimed ON containers (claimed_until) WHERE claimed_until IS NOT NULL;
CREATE INDEX containers_finished ON containers (finished_at) WHERE finished_at IS NOT NULL;

-- Answers that a parked container keeps.
CREATE TABLE container_answers (
    container  INTEGER NOT NULL REFERENCES containers (sequence) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    lookup     TEXT    NOT NULL,
    -- Null where the EHR said that there is none.
    bytes      BLOB,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (container, position)
) STRICT;

CREATE TABLE notifications (
    sequence    INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    container   TEXT    NOT NULL,
    action      INTEGER NOT NULL REFERENCES actions (id),
    record_id   TEXT    NOT NULL,
    version     BLOB    NOT NULL CHECK (length(version) = 16),
    kind        TEXT    NOT NULL CHECK (kind IN ('created', 'updated')),
    event       TEXT    NOT NULL,
    body        INTEGER NOT NULL,
    detected_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    -- When the last of its deliveries was delivered or dropped. Null while one is owed or dead.
    finished_at INTEGER
) STRICT;

CREATE INDEX notifications_of_record ON notifications (action, record_id);
CREATE INDEX notifications_finished ON notifications (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE notification_gaps (
    notification INTEGER NOT NULL REFERENCES notifications (sequence) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    lookup       TEXT    NOT NULL,
    status       INTEGER NOT NULL,
    PRIMARY KEY (notification, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE destinations (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    paused_at     INTEGER,
    paused_code   TEXT,
    paused_reason TEXT,
    verified_mark TEXT,
    verified_at   INTEGER
) STRICT;

CREATE TABLE deliveries (
    -- The order in which they were owed.
    sequence       INTEGER PRIMARY KEY,
    notification   INTEGER NOT NULL REFERENCES notifications (sequence) ON DELETE CASCADE,
    destination    INTEGER NOT NULL REFERENCES destinations (id),
    ordering_key   TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('waiting', 'due', 'delivered', 'dead', 'dropped')),
    due_at         INTEGER NOT NULL,
    claimed_until  INTEGER,
    available_at   INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(claimed_until, due_at)) VIRTUAL,
    -- Since it was last made due by a person or by its creation.
    attempts       INTEGER NOT NULL DEFAULT 0,
    attempts_total INTEGER NOT NULL DEFAULT 0,
    reason_code    TEXT,
    reason         TEXT,
    UNIQUE (notification, destination)
) STRICT;

CREATE INDEX deliveries_claimable ON deliveries (destination, available_at) WHERE state = 'due';
CREATE INDEX deliveries_open ON deliveries (destination, ordering_key, sequence) WHERE state IN ('waiting', 'due');
CREATE INDEX deliveries_by_state ON deliveries (destination, state);
CREATE INDEX deliveries_claimed ON deliveries (claimed_until) WHERE claimed_until IS NOT NULL;

CREATE TABLE attempts (
    delivery    INTEGER NOT NULL REFERENCES deliveries (sequence) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    took        INTEGER NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('delivered', 'refused', 'gone', 'unreachable', 'impossible')),
    status      INTEGER,
    retry_after INTEGER,
    code        TEXT,
    reason      TEXT,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Sweeps beside the change query, and records that are gone. SQLite cannot widen a CHECK, so the tables that hold one are
-- made anew; foreign keys are off while a step runs.

-- Known only from a sweep's first look: the change query has not shown it yet.
ALTER TABLE ledger ADD COLUMN presumed INTEGER NOT NULL DEFAULT 0 CHECK (presumed IN (0, 1));
-- The number of the round that committed this version, out of actions.rounds_begun.
ALTER TABLE ledger ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
-- The number of the last round of a sweep that showed the record; 0 for none.
ALTER TABLE ledger ADD COLUMN swept INTEGER NOT NULL DEFAULT 0;
-- Why a sweep does not miss it any more.
ALTER TABLE ledger ADD COLUMN absence TEXT CHECK (absence IN ('told', 'out_of_sight'));

CREATE TABLE new_feeds (
    action            INTEGER NOT NULL REFERENCES actions (id),
    name              TEXT    NOT NULL,
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
    PRIMARY KEY (action, name)
) STRICT, WITHOUT ROWID;
INSERT INTO new_feeds (action, name, cursor_kind, cursor_value, round, last_started_at, last_succeeded_at,
     failures_in_a_row, failure_code, failure_message, failure_hint, missed_ticks, rounds, future_dated)
    SELECT action, name, cursor_kind, cursor_value, round, last_started_at, last_succeeded_at,
     failures_in_a_row, failure_code, failure_message, failure_hint, missed_ticks, rounds, future_dated
    FROM feeds;
DROP TABLE feeds;
ALTER TABLE new_feeds RENAME TO feeds;

CREATE TABLE new_containers (
    -- The order of the changes.
    sequence      INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    action        INTEGER NOT NULL REFERENCES actions (id),
    lane          INTEGER NOT NULL REFERENCES lanes (id),
    round         INTEGER NOT NULL,
    record_id     TEXT    NOT NULL,
    version       BLOB    NOT NULL CHECK (length(version) = 16),
    kind          TEXT    NOT NULL CHECK (kind IN ('created', 'updated', 'deleted')),
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
INSERT INTO new_containers (sequence, id, action, lane, round, record_id, version, kind, ordering_key, record_body, previous_body,
     state, due_at, claimed_until, attempts, reason_code, reason, detected_at, finished_at)
    SELECT sequence, id, action, lane, round, record_id, version, kind, ordering_key, record_body, previous_body,
     state, due_at, claimed_until, attempts, reason_code, reason, detected_at, finished_at
    FROM containers;
DROP TABLE containers;
ALTER TABLE new_containers RENAME TO containers;

-- What can be claimed: neither what waits behind another nor what is dead or dropped is in it.
CREATE INDEX containers_claimable ON containers (lane, available_at) WHERE state IN ('due', 'parked');
-- Who is first of a key.
CREATE INDEX containers_open ON containers (action, ordering_key, sequence) WHERE state IN ('waiting', 'due', 'parked');
-- Who holds a body of a record, and what is there of a record.
CREATE INDEX containers_of_record ON containers (action, record_id);
CREATE INDEX containers_claimed ON containers (claimed_until) WHERE claimed_until IS NOT NULL;
CREATE INDEX containers_finished ON containers (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE new_notifications (
    sequence    INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    container   TEXT    NOT NULL,
    action      INTEGER NOT NULL REFERENCES actions (id),
    record_id   TEXT    NOT NULL,
    version     BLOB    NOT NULL CHECK (length(version) = 16),
    kind        TEXT    NOT NULL CHECK (kind IN ('created', 'updated', 'deleted')),
    event       TEXT    NOT NULL,
    body        INTEGER NOT NULL,
    detected_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    -- When the last of its deliveries was delivered or dropped. Null while one is owed or dead.
    finished_at INTEGER
) STRICT;
INSERT INTO new_notifications (sequence, id, container, action, record_id, version, kind, event, body, detected_at, created_at,
     finished_at)
    SELECT sequence, id, container, action, record_id, version, kind, event, body, detected_at, created_at,
     finished_at
    FROM notifications;
DROP TABLE notifications;
ALTER TABLE new_notifications RENAME TO notifications;

CREATE INDEX notifications_of_record ON notifications (action, record_id);
CREATE INDEX notifications_finished ON notifications (finished_at) WHERE finished_at IS NOT NULL;

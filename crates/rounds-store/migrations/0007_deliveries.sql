-- A destination to which nearly everything fails is only tried now and then.
ALTER TABLE destinations ADD COLUMN breaker_opened_at INTEGER;
ALTER TABLE destinations ADD COLUMN breaker_failures INTEGER;
ALTER TABLE destinations ADD COLUMN breaker_next_try_at INTEGER;
ALTER TABLE destinations ADD COLUMN breaker_code TEXT;
ALTER TABLE destinations ADD COLUMN breaker_reason TEXT;

-- What has several ordering keys (they stand in ordering_key, separated by U+001F) is a barrier across them. While it is open, each of
-- its keys stands here, so that whatever has one of them finds it.
CREATE TABLE container_barriers (
    action       INTEGER NOT NULL REFERENCES actions (id),
    ordering_key TEXT    NOT NULL,
    container    INTEGER NOT NULL REFERENCES containers (sequence) ON DELETE CASCADE,
    PRIMARY KEY (action, ordering_key, container)
) STRICT, WITHOUT ROWID;
CREATE INDEX container_barriers_of ON container_barriers (container);

CREATE TABLE delivery_barriers (
    destination  INTEGER NOT NULL REFERENCES destinations (id),
    ordering_key TEXT    NOT NULL,
    delivery     INTEGER NOT NULL REFERENCES deliveries (sequence) ON DELETE CASCADE,
    PRIMARY KEY (destination, ordering_key, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_barriers_of ON delivery_barriers (delivery);

-- The paths of the body that are not as they were, separated by the unit separator (U+001F); empty where nothing was before.
ALTER TABLE notifications ADD COLUMN changed TEXT NOT NULL DEFAULT '';
-- The destinations that did not want it, by the rules of their subscriptions, separated likewise.
ALTER TABLE notifications ADD COLUMN filtered TEXT NOT NULL DEFAULT '';
-- How a notification is wrapped: `plain`, `cloudevents`, ...
ALTER TABLE notifications ADD COLUMN shape TEXT NOT NULL DEFAULT 'plain';

-- How many notifications of an action were owed to a destination so far.
CREATE TABLE subscriptions (
    action      INTEGER NOT NULL REFERENCES actions (id),
    destination INTEGER NOT NULL REFERENCES destinations (id),
    told        INTEGER NOT NULL,
    PRIMARY KEY (action, destination)
) STRICT, WITHOUT ROWID;

-- Which of them this one is, from 1 and without gaps; 0 for those that were owed before they were counted.
ALTER TABLE deliveries ADD COLUMN number INTEGER NOT NULL DEFAULT 0;

-- Which partition showed a record, where an action's queries are asked partition by partition.

-- For lookups and bodies, which may use it. Null where there is none.
ALTER TABLE containers ADD COLUMN partition TEXT;
-- The partition whose query told of the record last. Two that take turns count their records alike.
ALTER TABLE ledger ADD COLUMN partition TEXT;

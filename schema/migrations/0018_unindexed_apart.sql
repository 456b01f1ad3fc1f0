-- What a medium's own index does not name yet is a list of its own. As a column it stood in the predicate of an index, so
-- that to note it wrote the extent, and all of its indexes, once more: half of what many small objects cost the database.
--
-- No row means that the index names the extent, so nothing but these may make rows and strike them: a trigger makes one
-- for whatever is inserted *pending*, so that none can be forgotten. An orphan without a past was read from a medium's
-- index, and has none. Nobody inserts a live extent; one that somebody does insert is not taken to be named.
DROP INDEX extent_unindexed;

-- No reference to extent: to check it row by row would cost what the list saves. `respool check` compares them.
CREATE TABLE extent_unindexed (
    medium uuid NOT NULL,
    extent uuid NOT NULL,
    PRIMARY KEY (medium, extent)
);
INSERT INTO extent_unindexed (medium, extent) SELECT medium, id FROM extent WHERE NOT indexed ORDER BY medium, id;

-- The list is short most of the time, and a plan made then is kept: it would read the whole list for each extent that is
-- asked for, also when it has grown. So its readers are functions, whose planner option has every row looked up.
--
-- Whether a medium's index names an extent.
CREATE FUNCTION is_indexed(of_medium uuid, of_extent uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET enable_seqscan TO off
AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM extent_unindexed u WHERE u.medium = of_medium AND u.extent = of_extent);
END $$;

-- Those of some extents that their media's indexes do not name.
CREATE FUNCTION unindexed_of(extents uuid[]) RETURNS TABLE (id uuid)
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET enable_seqscan TO off
AS $$
BEGIN
    RETURN QUERY SELECT u.extent FROM (SELECT e.medium, e.id FROM extent e WHERE e.id = ANY (extents) OFFSET 0) e
      CROSS JOIN LATERAL (SELECT x.extent FROM extent_unindexed x
                           WHERE x.medium = e.medium AND x.extent = e.id OFFSET 0) u;
END $$;

-- The live extents of a medium that its index does not name, by id, after one, and so many; null: all that there are.
CREATE FUNCTION unindexed_live(of_medium uuid, beyond uuid, most bigint) RETURNS TABLE (id uuid, bytes bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET enable_seqscan TO off
AS $$
BEGIN
    RETURN QUERY SELECT u.extent, e.bytes FROM extent_unindexed u
      CROSS JOIN LATERAL (SELECT x.bytes FROM extent x WHERE x.id = u.extent AND x.state = 'sync' OFFSET 0) e
      WHERE u.medium = of_medium AND u.extent > beyond ORDER BY u.extent LIMIT most;
END $$;

-- Strikes extents of a medium off the list; how many were on it. Whoever strikes some that another one strikes as well
-- takes them in the same order. The rows that were locked are never updated, so they are where they were found. Each is
-- looked up for itself: asked for all at once, the whole list of the medium may be held against all of them.
CREATE FUNCTION strike_unindexed(of_medium uuid, of_extents uuid[]) RETURNS bigint
    LANGUAGE plpgsql STRICT SET enable_seqscan TO off
AS $$
DECLARE
    struck bigint;
BEGIN
    DELETE FROM extent_unindexed WHERE ctid = ANY (ARRAY(
        SELECT u.ctid FROM (SELECT DISTINCT x.extent FROM unnest(of_extents) AS x (extent) ORDER BY x.extent) n
         CROSS JOIN LATERAL (SELECT u.ctid FROM extent_unindexed u
                              WHERE u.medium = of_medium AND u.extent = n.extent FOR UPDATE) u));
    GET DIAGNOSTICS struck = ROW_COUNT;
    RETURN struck;
END $$;

CREATE FUNCTION extent_begins_unindexed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO extent_unindexed (medium, extent) SELECT n.medium, n.id FROM new_rows n WHERE n.state <> 'orphan';
    RETURN NULL;
END $$;
CREATE TRIGGER extent_inserted_unindexed AFTER INSERT ON extent REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extent_begins_unindexed();

CREATE FUNCTION extent_ends_unindexed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM strike_unindexed(o.medium, array_agg(o.id)) FROM old_rows o GROUP BY o.medium ORDER BY o.medium;
    RETURN NULL;
END $$;
CREATE TRIGGER extent_deleted_unindexed AFTER DELETE ON extent REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extent_ends_unindexed();
-- They keep a list and guard nothing: it stays right also for somebody who has switched the guards off.
ALTER TABLE extent ENABLE ALWAYS TRIGGER extent_inserted_unindexed;
ALTER TABLE extent ENABLE ALWAYS TRIGGER extent_deleted_unindexed;

-- As it was, but for where it looks whether an index named an orphan: last, for it is the dearest of the three.
CREATE OR REPLACE VIEW last_good AS
SELECT o.id AS orphan, o.medium, n.id AS live
  FROM medium m
  JOIN extent n ON n.medium = m.id AND n.state = 'sync'
  JOIN extent o ON o.object_id = n.object_id AND o.copy_no = n.copy_no AND o.index = n.index
       AND o.state = 'orphan' AND o.bytes = n.bytes AND o.blake3 = n.blake3
  JOIN medium its ON its.id = o.medium AND its.generation = o.generation
 WHERE (m.adm_state = 'dead' OR m.presence = 'missing' OR m.health = 'failed'
        OR (m.health <> 'ok' AND n.verified_at IS NULL))
   AND (o.verified_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM job_move v WHERE v.old_extent = o.id AND v.state IN ('swapped', 'read_back'))
        OR is_indexed(o.medium, o.id));
ALTER TABLE extent DROP COLUMN indexed;

-- I10 is asked once for all rows of a statement. Asking a function for each row cost more than all else that the guards
-- do: its plan is begun anew for every call.
--
-- Which of these copies share a medium with another copy of their object. OFFSET 0 and the planner option keep it at
-- looking up each object's own extents, however many rows others have.
CREATE FUNCTION copies_that_share(of_objects uuid[], of_copies smallint[], on_media uuid[])
    RETURNS TABLE (object_id uuid, medium uuid) LANGUAGE sql STABLE ROWS 1 SET enable_seqscan TO off
AS $$
    SELECT n.object_id, n.medium FROM unnest(of_objects, of_copies, on_media) AS n (object_id, copy_no, medium)
     WHERE EXISTS (SELECT 1 FROM (SELECT e.copy_no, e.medium, e.state FROM extent e
                                   WHERE e.object_id = n.object_id OFFSET 0) e
                    WHERE e.copy_no <> n.copy_no AND e.medium = n.medium AND e.state <> 'orphan')
        OR EXISTS (SELECT 1 FROM (SELECT l.extent, l.copy_no FROM layout l WHERE l.object_id = n.object_id OFFSET 0) l
                     CROSS JOIN LATERAL (SELECT e.medium FROM extent e WHERE e.id = l.extent OFFSET 0) e
                    WHERE l.copy_no <> n.copy_no AND e.medium = n.medium)
     LIMIT 1
$$;

CREATE OR REPLACE FUNCTION extent_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    objects uuid[];
    copies smallint[];
    media uuid[];
    bad record;
BEGIN
    PERFORM 1 FROM medium WHERE id IN (SELECT medium FROM new_rows) ORDER BY id FOR SHARE;
    PERFORM 1 FROM object WHERE id IN (SELECT object_id FROM new_rows WHERE state <> 'orphan')
      ORDER BY id FOR NO KEY UPDATE;
    PERFORM guard_media(ARRAY(SELECT DISTINCT medium FROM new_rows WHERE state <> 'pending'), false);
    PERFORM guard_media(ARRAY(SELECT DISTINCT medium FROM new_rows WHERE state = 'pending'), true);
    SELECT n.medium, n.generation INTO bad FROM new_rows n
     WHERE n.generation <> (SELECT m.generation FROM medium m WHERE m.id = n.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % is not at generation % any more', bad.medium, bad.generation
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = bad.medium::text;
    END IF;
    SELECT array_agg(n.object_id), array_agg(n.copy_no), array_agg(n.medium) INTO objects, copies, media
      FROM new_rows n WHERE n.state <> 'orphan';
    SELECT s.object_id, s.medium INTO bad FROM copies_that_share(objects, copies, media) s;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of % is on medium %',
            (SELECT n.oid || ' version ' || n.version FROM new_rows n WHERE n.object_id = bad.object_id LIMIT 1), bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION extent_updated() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan TO off AS $$
DECLARE
    synced uuid[];
    objects uuid[];
    copies smallint[];
    media uuid[];
    bad record;
BEGIN
    SELECT array_agg(n.id) INTO synced FROM new_rows n
     WHERE n.state = 'sync' AND NOT EXISTS (SELECT 1 FROM old_rows o WHERE o.id = n.id AND o.state = 'sync');
    IF synced IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM medium WHERE id IN (SELECT medium FROM new_rows WHERE id = ANY (synced)) ORDER BY id FOR SHARE;
    PERFORM 1 FROM object WHERE id IN (SELECT object_id FROM new_rows WHERE id = ANY (synced))
      ORDER BY id FOR NO KEY UPDATE;
    PERFORM guard_media(ARRAY(SELECT DISTINCT medium FROM new_rows WHERE state = 'sync'), false);
    SELECT n.medium, n.generation INTO bad FROM new_rows n
     WHERE n.state = 'sync' AND n.generation <> (SELECT m.generation FROM medium m WHERE m.id = n.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % is not at generation % any more', bad.medium, bad.generation
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = bad.medium::text;
    END IF;
    -- A pending extent stood for its copy already when it was inserted; an orphan that comes back did not.
    SELECT array_agg(n.object_id), array_agg(n.copy_no), array_agg(n.medium) INTO objects, copies, media
      FROM new_rows n
     WHERE n.state = 'sync' AND NOT EXISTS (SELECT 1 FROM old_rows o WHERE o.id = n.id AND o.state <> 'orphan');
    SELECT s.object_id, s.medium INTO bad FROM copies_that_share(objects, copies, media) s;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of % is on medium %',
            (SELECT n.oid || ' version ' || n.version FROM new_rows n WHERE n.object_id = bad.object_id LIMIT 1), bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION layout_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    objects uuid[];
    copies smallint[];
    media uuid[];
    bad record;
BEGIN
    SELECT array_agg(DISTINCT (SELECT e.medium FROM extent e WHERE e.id = n.extent)) INTO media FROM new_rows n;
    PERFORM 1 FROM medium WHERE id = ANY (media) ORDER BY id FOR SHARE;
    PERFORM 1 FROM object WHERE id IN (SELECT object_id FROM new_rows) ORDER BY id FOR NO KEY UPDATE;
    PERFORM guard_media(media, false);
    SELECT e.medium INTO bad FROM new_rows n CROSS JOIN LATERAL
        (SELECT e.medium, e.generation FROM extent e WHERE e.id = n.extent OFFSET 0) e
     WHERE e.generation <> (SELECT m.generation FROM medium m WHERE m.id = e.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % was erased since', bad.medium
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = bad.medium::text;
    END IF;
    SELECT array_agg(n.object_id), array_agg(n.copy_no), array_agg(e.medium) INTO objects, copies, media
      FROM new_rows n CROSS JOIN LATERAL (SELECT e.medium FROM extent e WHERE e.id = n.extent OFFSET 0) e;
    SELECT s.object_id, s.medium INTO bad FROM copies_that_share(objects, copies, media) s;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of object % is on medium %', bad.object_id, bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;

-- The layout is what is nearly always there: looked for first, it is all that is looked for.
CREATE OR REPLACE FUNCTION needs_layout_if_sync(subject uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM layout WHERE extent = subject)
       AND EXISTS (SELECT 1 FROM extent WHERE id = subject AND state = 'sync') THEN
        RAISE EXCEPTION 'I2: extent % would be sync with no layout entry', subject
            USING ERRCODE = 'RS002', CONSTRAINT = 'i2_sync_is_referenced', DETAIL = subject::text;
    END IF;
END $$;

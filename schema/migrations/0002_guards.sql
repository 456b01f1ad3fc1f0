-- What constraints cannot say. Every guard takes its locks in one statement and looks in a later one: under READ
-- COMMITTED each statement of a function has a snapshot of its own, taken after the locks of the one before it were
-- granted. That is what keeps a put and the fence of I6 apart at every interleaving.
--
-- SQLSTATEs: RS002 (I2), RS006 (I6; DETAIL is the medium), RS010 (I10; DETAIL is the medium).
-- The planner options of some functions keep a plan made for few rows from reading whole tables for many.

-- I6: nothing lands on a medium that is being erased, or was erased since.
CREATE FUNCTION guard_media(media uuid[], takes_new boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT m.id, m.name, m.adm_state, m.locked INTO bad FROM medium m
     WHERE m.id = ANY (media) AND (m.adm_state = 'erasing' OR takes_new AND (m.adm_state <> 'in_service' OR m.locked))
     ORDER BY m.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % is % and takes nothing', bad.name,
            CASE WHEN bad.locked THEN 'locked' ELSE bad.adm_state::text END
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = bad.id::text;
    END IF;
END $$;

-- I10: no other copy of the same version is on the same medium, as pending or sync.
CREATE FUNCTION copies_share_medium(of_object uuid, of_copy smallint, on_medium uuid) RETURNS boolean
    LANGUAGE sql STABLE SET enable_seqscan = off AS $$
    SELECT EXISTS (SELECT 1 FROM extent e
                    WHERE e.object_id = of_object AND e.copy_no <> of_copy AND e.medium = on_medium
                      AND e.state <> 'orphan')
        OR EXISTS (SELECT 1 FROM layout l JOIN extent e ON e.id = l.extent
                    WHERE l.object_id = of_object AND l.copy_no <> of_copy AND e.medium = on_medium)
$$;

CREATE FUNCTION extent_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
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
    SELECT n.medium, n.oid, n.version INTO bad FROM new_rows n
     WHERE n.state <> 'orphan' AND copies_share_medium(n.object_id, n.copy_no, n.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of % version % is on medium %', bad.oid, bad.version, bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER extent_inserted AFTER INSERT ON extent REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extent_inserted();

CREATE FUNCTION extent_updated() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    synced uuid[];
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
    SELECT n.medium, n.oid, n.version INTO bad FROM new_rows n
     WHERE n.state = 'sync' AND NOT EXISTS (SELECT 1 FROM old_rows o WHERE o.id = n.id AND o.state <> 'orphan')
       AND copies_share_medium(n.object_id, n.copy_no, n.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of % version % is on medium %', bad.oid, bad.version, bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER extent_updated AFTER UPDATE ON extent REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extent_updated();

-- An extent never moves: a move writes another one. Nothing becomes pending that was not inserted so.
CREATE FUNCTION extent_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'I2: extent % keeps its place, and is pending only when it is new', OLD.id
        USING ERRCODE = 'RS002', CONSTRAINT = 'i2_extent_stays', DETAIL = OLD.id::text;
END $$;
CREATE TRIGGER extent_stays BEFORE UPDATE OF state, medium, generation, address ON extent FOR EACH ROW
    WHEN (NEW.medium <> OLD.medium OR NEW.generation <> OLD.generation OR NEW.address <> OLD.address
          OR (NEW.state = 'pending' AND OLD.state <> 'pending'))
    EXECUTE FUNCTION extent_stays();

CREATE FUNCTION layout_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
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
    SELECT n.object_id, e.medium INTO bad FROM new_rows n CROSS JOIN LATERAL
        (SELECT e.medium FROM extent e WHERE e.id = n.extent OFFSET 0) e
     WHERE copies_share_medium(n.object_id, n.copy_no, e.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of object % is on medium %', bad.object_id, bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER layout_inserted AFTER INSERT ON layout REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION layout_changed();
CREATE TRIGGER layout_updated AFTER UPDATE ON layout REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION layout_changed();

-- I2: at commit every sync extent is referenced, so a pending one becomes sync only together with its layout entry.
CREATE FUNCTION sync_is_referenced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject uuid := CASE TG_TABLE_NAME WHEN 'extent' THEN (to_jsonb(NEW) ->> 'id')::uuid
                                       ELSE (to_jsonb(OLD) ->> 'extent')::uuid END;
BEGIN
    IF EXISTS (SELECT 1 FROM extent WHERE id = subject AND state = 'sync')
       AND NOT EXISTS (SELECT 1 FROM layout WHERE extent = subject) THEN
        RAISE EXCEPTION 'I2: extent % would be sync with no layout entry', subject
            USING ERRCODE = 'RS002', CONSTRAINT = 'i2_sync_is_referenced', DETAIL = subject::text;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER extent_inserted_is_referenced AFTER INSERT ON extent
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'sync') EXECUTE FUNCTION sync_is_referenced();
CREATE CONSTRAINT TRIGGER extent_updated_is_referenced AFTER UPDATE OF state ON extent
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'sync' AND OLD.state <> 'sync')
    EXECUTE FUNCTION sync_is_referenced();
CREATE CONSTRAINT TRIGGER layout_deleted_is_referenced AFTER DELETE ON layout
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sync_is_referenced();
CREATE CONSTRAINT TRIGGER layout_updated_is_referenced AFTER UPDATE OF extent ON layout
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.extent <> OLD.extent) EXECUTE FUNCTION sync_is_referenced();

-- I6 from the other side: a medium is erased, or takes another generation, only with nothing live or pending on it.
-- The row is locked before this runs; the look is a statement of its own.
CREATE FUNCTION medium_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM extent WHERE medium = OLD.id AND state IN ('pending', 'sync')) THEN
        RAISE EXCEPTION 'I6: medium % has live or pending extents', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_in_use', DETAIL = OLD.id::text;
    END IF;
    IF NEW.generation < OLD.generation OR (OLD.adm_state <> 'erasing' AND NEW.adm_state = 'erasing'
                                           AND NEW.generation <= OLD.generation) THEN
        RAISE EXCEPTION 'I6: erasing medium % takes the next generation', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = OLD.id::text;
    END IF;
    IF OLD.adm_state = 'erasing' AND NEW.adm_state NOT IN ('erasing', 'in_service') THEN
        RAISE EXCEPTION 'I6: medium % may only be erased again', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = OLD.id::text;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER medium_updated BEFORE UPDATE OF adm_state, generation ON medium FOR EACH ROW
    WHEN (NEW.generation <> OLD.generation OR (NEW.adm_state = 'erasing') <> (OLD.adm_state = 'erasing'))
    EXECUTE FUNCTION medium_updated();

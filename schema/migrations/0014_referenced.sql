-- Every extent that becomes sync is looked at once more at commit. To find its id in a row of either table, the whole
-- row was turned into JSON, which cost more than the look: each table has a function of its own now.
CREATE FUNCTION needs_layout_if_sync(subject uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM extent WHERE id = subject AND state = 'sync')
       AND NOT EXISTS (SELECT 1 FROM layout WHERE extent = subject) THEN
        RAISE EXCEPTION 'I2: extent % would be sync with no layout entry', subject
            USING ERRCODE = 'RS002', CONSTRAINT = 'i2_sync_is_referenced', DETAIL = subject::text;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION sync_is_referenced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM needs_layout_if_sync(NEW.id);
    RETURN NULL;
END $$;

CREATE FUNCTION what_layout_left_is_referenced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM needs_layout_if_sync(OLD.extent);
    RETURN NULL;
END $$;

DROP TRIGGER layout_deleted_is_referenced ON layout;
DROP TRIGGER layout_updated_is_referenced ON layout;
CREATE CONSTRAINT TRIGGER layout_deleted_is_referenced AFTER DELETE ON layout
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION what_layout_left_is_referenced();
CREATE CONSTRAINT TRIGGER layout_updated_is_referenced AFTER UPDATE OF extent ON layout
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.extent <> OLD.extent)
    EXECUTE FUNCTION what_layout_left_is_referenced();

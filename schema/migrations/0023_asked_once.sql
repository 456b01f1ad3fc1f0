-- What cannot change is asked once, when it is written, and what is asked of each row is asked by one function: a repack
-- of many small extents spends its time here.

-- The form of a place was looked at again whenever anything of its extent changed, and it never changes itself
-- (extent_stays). Now it is looked at where it is written; also when a catalogue is restored, as a constraint is.
ALTER TABLE extent DROP CONSTRAINT extent_span;
CREATE OR REPLACE FUNCTION extent_fills_span() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.span <> '' AND NEW.span || ',' !~ ('^(([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]):'
        '(0|[1-9][0-9]{0,17})\+(0|[1-9][0-9]{0,17})\*[1-9][0-9]{0,17}=[1-9][0-9]{0,17},)+$') THEN
        RAISE EXCEPTION 'extent % lies at no place that a tape has: %', NEW.id, NEW.span
            USING ERRCODE = 'check_violation', CONSTRAINT = 'extent_span', DETAIL = NEW.id::text;
    END IF;
    IF span_bytes(NEW.span) > NEW.bytes THEN
        RAISE EXCEPTION 'I3: extent % has % bytes, and its place on the tape more: %', NEW.id, NEW.bytes, NEW.span
            USING ERRCODE = 'RS003', CONSTRAINT = 'i3_extent_fills_span', DETAIL = NEW.id::text;
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER extent_updated_fills_span ON extent;
CREATE TRIGGER extent_updated_fills_span BEFORE UPDATE OF span ON extent FOR EACH ROW
    WHEN (NEW.span IS NOT NULL AND OLD.span IS DISTINCT FROM NEW.span) EXECUTE FUNCTION extent_fills_span();
ALTER TABLE extent ENABLE ALWAYS TRIGGER extent_inserted_fills_span;
ALTER TABLE extent ENABLE ALWAYS TRIGGER extent_updated_fills_span;

-- At commit every sync extent has a layout. The subject is what became sync, or what a layout left.
CREATE OR REPLACE FUNCTION sync_is_referenced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject uuid;
BEGIN
    IF TG_TABLE_NAME = 'extent' THEN subject := NEW.id; ELSE subject := OLD.extent; END IF;
    IF NOT EXISTS (SELECT FROM layout WHERE extent = subject)
       AND EXISTS (SELECT FROM extent WHERE id = subject AND state = 'sync') THEN
        RAISE EXCEPTION 'I2: extent % would be sync with no layout entry', subject
            USING ERRCODE = 'RS002', CONSTRAINT = 'i2_sync_is_referenced', DETAIL = subject::text;
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER layout_deleted_is_referenced ON layout;
DROP TRIGGER layout_updated_is_referenced ON layout;
CREATE CONSTRAINT TRIGGER layout_deleted_is_referenced AFTER DELETE ON layout DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION sync_is_referenced();
CREATE CONSTRAINT TRIGGER layout_updated_is_referenced AFTER UPDATE OF extent ON layout DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.extent <> OLD.extent) EXECUTE FUNCTION sync_is_referenced();
DROP FUNCTION what_layout_left_is_referenced();
DROP FUNCTION needs_layout_if_sync(uuid);

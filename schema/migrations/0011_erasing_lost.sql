-- E-16: a medium that was being erased when the backup was made, and that is gone, can be declared dead: else it would hold
-- up whatever destroys bytes for ever. Never one that is level: its erasure goes on.
CREATE OR REPLACE FUNCTION medium_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A medium that is ahead was erased already, and its label says so; its layouts follow before it is level.
    IF EXISTS (SELECT 1 FROM extent WHERE medium = OLD.id
                  AND (state = 'pending' OR state = 'sync' AND (OLD.standing <> 'ahead' OR NEW.adm_state = 'erasing'))) THEN
        RAISE EXCEPTION 'I6: medium % has live or pending extents', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_in_use', DETAIL = OLD.id::text;
    END IF;
    IF NEW.generation < OLD.generation OR (OLD.adm_state <> 'erasing' AND NEW.adm_state = 'erasing'
                                           AND NEW.generation <= OLD.generation) THEN
        RAISE EXCEPTION 'I6: erasing medium % takes the next generation', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = OLD.id::text;
    END IF;
    IF OLD.adm_state = 'erasing' AND NEW.adm_state NOT IN ('erasing', coalesce(OLD.operator_state, 'in_service'))
       AND NOT (NEW.adm_state = 'dead' AND OLD.standing <> 'level') THEN
        RAISE EXCEPTION 'I6: medium % may only be erased again', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = OLD.id::text;
    END IF;
    RETURN NEW;
END $$;

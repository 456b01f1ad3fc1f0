-- E-16: a medium that was emptied, erased and filled again since the backup was made holds what layouts on other media
-- need, and they hold what its own layouts need. Its generation is taken first, while it is ahead and nothing can land on
-- it or be erased anywhere; then layouts follow, in any order.
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
    IF OLD.adm_state = 'erasing' AND NEW.adm_state NOT IN ('erasing', coalesce(OLD.operator_state, 'in_service')) THEN
        RAISE EXCEPTION 'I6: medium % may only be erased again', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = OLD.id::text;
    END IF;
    RETURN NEW;
END $$;

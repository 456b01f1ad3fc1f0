-- The jobs that hold their sources, looked at every few seconds, among all that ended.
CREATE INDEX job_active ON job (id) WHERE state IN ('queued', 'running', 'paused', 'verifying', 'quarantined', 'reclaiming');

-- What an operator had said of a medium before a job took it over: it comes back to that when it is erased. Empty while
-- the administrative status is the operator's own.
ALTER TABLE medium ADD COLUMN operator_state adm_state;
ALTER TABLE medium ADD CONSTRAINT medium_operator_state
    CHECK (operator_state IN ('in_service', 'read_only', 'draining', 'abandon_ship', 'retired'));

-- I6, as before; a medium that was erased may become what the operator had said, and nothing else.
CREATE OR REPLACE FUNCTION medium_updated() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF OLD.adm_state = 'erasing' AND NEW.adm_state NOT IN ('erasing', coalesce(OLD.operator_state, 'in_service')) THEN
        RAISE EXCEPTION 'I6: medium % may only be erased again', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = OLD.id::text;
    END IF;
    RETURN NEW;
END $$;

-- A catalogue that was restored from an older backup must not destroy what it does not know: each medium is compared with
-- it by the stamps it bears.
CREATE TYPE standing AS ENUM ('level', 'ahead', 'unseen');

ALTER TABLE medium ADD COLUMN standing standing NOT NULL DEFAULT 'level';
CREATE INDEX medium_in_doubt ON medium (name) WHERE standing <> 'level';

-- When this catalogue was put back from a backup last. Windows that were running then begin anew.
ALTER TABLE catalogue ADD COLUMN restored_at timestamptz;

-- I6, and E-16: nothing lands on a medium that is being erased, or was erased since; nothing new on one in doubt.
CREATE OR REPLACE FUNCTION guard_media(media uuid[], takes_new boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT m.id, m.name, m.adm_state, m.locked, m.standing INTO bad FROM medium m
     WHERE m.id = ANY (media)
       AND (m.adm_state = 'erasing' OR takes_new AND (m.adm_state <> 'in_service' OR m.locked OR m.standing <> 'level'))
     ORDER BY m.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % is % and takes nothing', bad.name,
            CASE WHEN bad.locked THEN 'locked'
                 WHEN bad.standing <> 'level' THEN bad.standing::text ELSE bad.adm_state::text END
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = bad.id::text;
    END IF;
END $$;

-- LTFS volumes of other software as media: their files are objects, and nobody has read the bytes yet.

-- How a medium is laid out. What other software wrote is only read, until the medium is erased and becomes one of ours.
CREATE TYPE medium_format AS ENUM ('respool', 'ltfs');
ALTER TABLE medium ADD format medium_format NOT NULL DEFAULT 'respool';

-- Digests that other software left beside a file. They say what the bytes of an extent were once, and are compared when
-- it is read whole for the first time.
CREATE TYPE hash_algorithm AS ENUM ('crc32', 'md5', 'sha1', 'sha256', 'sha512');
CREATE TABLE extent_hash (
    extent uuid NOT NULL REFERENCES extent (id) ON DELETE CASCADE,
    algorithm hash_algorithm NOT NULL,
    value text NOT NULL CHECK (value ~ '^([0-9a-f]{2})+$'),
    PRIMARY KEY (extent, algorithm)
);

-- What bytes digest to is known of every *sync* extent, but of those that were imported with such a medium. Nothing else
-- inserts one: whatever becomes *sync* later has been read or written by us. A check cannot look at another table.
ALTER TABLE extent DROP CONSTRAINT i2_sync_has_digests;
CREATE FUNCTION sync_has_digests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR NOT EXISTS (SELECT FROM medium m WHERE m.id = NEW.medium AND m.format = 'ltfs') THEN
        RAISE EXCEPTION 'I2: extent % would be sync, and nobody knows what its bytes digest to', NEW.id
            USING ERRCODE = 'RS002', CONSTRAINT = 'i2_sync_has_digests', DETAIL = NEW.id::text;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extent_inserted_has_digests BEFORE INSERT ON extent FOR EACH ROW
    WHEN (NEW.state = 'sync' AND num_nonnulls(NEW.blake3, NEW.crc32, NEW.chunk_crcs) < 3)
    EXECUTE FUNCTION sync_has_digests();
CREATE TRIGGER extent_updated_has_digests BEFORE UPDATE OF state, blake3, crc32, chunk_crcs ON extent FOR EACH ROW
    WHEN (NEW.state = 'sync' AND num_nonnulls(NEW.blake3, NEW.crc32, NEW.chunk_crcs) < 3
          AND (OLD.state <> 'sync' OR num_nonnulls(OLD.blake3, OLD.crc32, OLD.chunk_crcs) = 3))
    EXECUTE FUNCTION sync_has_digests();

-- I6: such a medium takes nothing new, whatever its administrative state.
CREATE OR REPLACE FUNCTION guard_media(media uuid[], takes_new boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT m.id, m.name, m.format, m.adm_state, m.locked, m.standing INTO bad FROM medium m
     WHERE m.id = ANY (media)
       AND (m.adm_state = 'erasing' OR takes_new AND (m.adm_state <> 'in_service' OR m.locked OR m.standing <> 'level'
                                                      OR m.format <> 'respool'))
     ORDER BY m.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % is % and takes nothing', bad.name,
            CASE WHEN bad.locked THEN 'locked'
                 WHEN bad.format <> 'respool' THEN 'an LTFS volume of other software'
                 WHEN bad.standing <> 'level' THEN bad.standing::text ELSE bad.adm_state::text END
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = bad.id::text;
    END IF;
END $$;

-- Every put asks how full media are, so the answer must not cost what they hold. Only rows that come and go change it,
-- whatever their state. The parts of a medium add up: whoever changes it takes one that nobody else has locked, or makes
-- another, so that nobody waits for anybody, and a medium has as many parts as ever changed it at once.
--
-- No reference to medium: checking it would lock the medium's row after its extents, against the order of all locks.
CREATE TABLE medium_used (
    medium uuid NOT NULL,
    part bigint GENERATED ALWAYS AS IDENTITY,
    bytes bigint NOT NULL,
    PRIMARY KEY (medium, part)
) WITH (fillfactor = 50);

CREATE FUNCTION extent_counted() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan TO off AS $$
DECLARE
    change record;
    mine bigint;
BEGIN
    FOR change IN
        SELECT c.medium, sum(c.bytes)::bigint * CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END AS bytes
          FROM changed_rows c GROUP BY c.medium HAVING sum(c.bytes) <> 0
    LOOP
        SELECT u.part INTO mine FROM medium_used u WHERE u.medium = change.medium
         ORDER BY u.part LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            UPDATE medium_used u SET bytes = u.bytes + change.bytes WHERE u.medium = change.medium AND u.part = mine;
        ELSE
            INSERT INTO medium_used (medium, bytes) VALUES (change.medium, change.bytes);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER extent_inserted_counted AFTER INSERT ON extent REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extent_counted();
CREATE TRIGGER extent_deleted_counted AFTER DELETE ON extent REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extent_counted();
-- They keep a sum and guard nothing: it stays right also for somebody who has switched the guards off.
ALTER TABLE extent ENABLE ALWAYS TRIGGER extent_inserted_counted;
ALTER TABLE extent ENABLE ALWAYS TRIGGER extent_deleted_counted;

-- The triggers came first: nobody writes extents from there to the end of this.
INSERT INTO medium_used (medium, bytes) SELECT medium, sum(bytes) FROM extent GROUP BY medium HAVING sum(bytes) > 0;

-- A read-back counts only for as long as nothing spoke against its medium since it began: `doubts` counts what did.
ALTER TABLE medium ADD doubts integer NOT NULL DEFAULT 0;

-- Whatever a medium's index named was durable once: an orphan that an import found, or whose read-back was voided, may be
-- all that is left of a live extent, too.
CREATE OR REPLACE VIEW last_good AS
SELECT o.id AS orphan, o.medium, n.id AS live
  FROM medium m
  JOIN extent n ON n.medium = m.id AND n.state = 'sync'
  JOIN extent o ON o.object_id = n.object_id AND o.copy_no = n.copy_no AND o.index = n.index
       AND o.state = 'orphan' AND o.bytes = n.bytes AND o.blake3 = n.blake3
  JOIN medium its ON its.id = o.medium AND its.generation = o.generation
 WHERE (m.adm_state = 'dead' OR m.presence = 'missing' OR m.health = 'failed'
        OR (m.health <> 'ok' AND n.verified_at IS NULL))
   AND (o.indexed OR o.verified_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM job_move v WHERE v.old_extent = o.id AND v.state IN ('swapped', 'read_back')));

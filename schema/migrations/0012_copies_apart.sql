-- I10 costs what the object's own extents cost. Left to itself the planner may look through every extent of the medium
-- instead, for each row that is guarded: OFFSET 0 keeps the object's rows a step of its own.
CREATE OR REPLACE FUNCTION copies_share_medium(of_object uuid, of_copy smallint, on_medium uuid)
    RETURNS boolean LANGUAGE sql STABLE SET enable_seqscan TO off
AS $$
    SELECT EXISTS (SELECT 1 FROM (SELECT e.copy_no, e.medium, e.state FROM extent e WHERE e.object_id = of_object OFFSET 0) e
                    WHERE e.copy_no <> of_copy AND e.medium = on_medium AND e.state <> 'orphan')
        OR EXISTS (SELECT 1 FROM (SELECT l.extent, l.copy_no FROM layout l WHERE l.object_id = of_object OFFSET 0) l
                     CROSS JOIN LATERAL (SELECT e.medium FROM extent e WHERE e.id = l.extent OFFSET 0) e
                    WHERE l.copy_no <> of_copy AND e.medium = on_medium)
$$;

-- The bytes of a medium's live extents that only deleted or overwritten versions need. A function with planner options, as
-- those of the list of what no index names: the plan that was made, and kept, while the catalogue was empty compared every
-- extent with every live object, which took a quarter of a minute for the first few thousand files. So each extent's
-- layouts, and each of their objects, are looked up by key.
CREATE FUNCTION deleted_bytes(of_medium uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET enable_seqscan TO off
AS $$
BEGIN
    RETURN (SELECT coalesce(sum(e.bytes), 0)::bigint FROM extent e
             WHERE e.medium = of_medium AND e.state = 'sync' AND NOT EXISTS
                   (SELECT FROM (SELECT l.object_id FROM layout l WHERE l.extent = e.id OFFSET 0) l
                      CROSS JOIN LATERAL (SELECT o.deleted_at FROM object o WHERE o.id = l.object_id OFFSET 0) o
                     WHERE o.deleted_at IS NULL));
END $$;

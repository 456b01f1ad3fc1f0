-- A volume of other software brings extents by the hundred thousand, and each of them is looked at here one by one.

-- The place of nearly every extent is one stretch, and one stretch is answered without a query: asked for each row, the
-- query cost more than what it found. The answers are the same, so that the index of ends stays as it is.
CREATE OR REPLACE FUNCTION span_bytes(span text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF span <> '' AND strpos(span, ',') = 0 THEN
        RETURN split_part(span, '=', 2)::numeric;
    END IF;
    RETURN (SELECT coalesce(sum(split_part(one, '=', 2)::numeric), 0) FROM string_to_table(span, ',') AS one);
END $$;
CREATE OR REPLACE FUNCTION span_end(span text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF span LIKE '1:%' AND strpos(span, ',') = 0 THEN
        RETURN split_part(split_part(span, ':', 2), '+', 1)::bigint
               + split_part(split_part(span, '*', 2), '=', 1)::bigint;
    END IF;
    RETURN (SELECT coalesce(max(split_part(split_part(one, ':', 2), '+', 1)::bigint
                                + split_part(split_part(one, '*', 2), '=', 1)::bigint), 0)
              FROM string_to_table(span, ',') AS one WHERE one LIKE '1:%');
END $$;

-- What is inserted with such a volume was read from the volume's own index, as an orphan without a past was read from
-- ours: it never was on the list, and need not be struck off.
CREATE OR REPLACE FUNCTION extent_begins_unindexed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO extent_unindexed (medium, extent)
        SELECT n.medium, n.id FROM new_rows n JOIN medium m ON m.id = n.medium
         WHERE n.state <> 'orphan' AND m.format <> 'ltfs';
    RETURN NULL;
END $$;

-- What the catalogue knows of tapes: where on them extents lie, and the libraries and drives they are used in.

-- All bytes of a place on a tape, and the block behind its last one on the data partition (1); 0: it has nothing there.
-- Stretches are `partition:block+byte*blocks=bytes`, separated by commas; see dss::model::span.
CREATE FUNCTION span_bytes(span text) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(sum(split_part(one, '=', 2)::numeric), 0) FROM string_to_table(span, ',') AS one
$$;
CREATE FUNCTION span_end(span text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(max(split_part(split_part(one, ':', 2), '+', 1)::bigint
                        + split_part(split_part(one, '*', 2), '=', 1)::bigint), 0)
      FROM string_to_table(span, ',') AS one WHERE one LIKE '1:%'
$$;

-- NULL: not known, or no tape. Numbers have at most 18 digits, so that the sum of two has its room in a bigint.
ALTER TABLE extent ADD span text CONSTRAINT extent_span CHECK (span = '' OR span || ',' ~ (
    '^(([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]):(0|[1-9][0-9]{0,17})\+(0|[1-9][0-9]{0,17})'
    '\*[1-9][0-9]{0,17}=[1-9][0-9]{0,17},)+$'));
ALTER TABLE import_staging ADD span text;

-- The end of a tape is asked at every mount, and is found at the end of an index: one entry is read, however many extents
-- there are (E-13). An index cannot come to differ from the extents, as a sum kept beside them can; and a place for it in
-- the medium's row would have every swap wait for every other change of that row. Disks have no entry in it.
CREATE INDEX extent_by_end ON extent (medium, generation, span_end(span)) WHERE span IS NOT NULL;
-- With a planner option, as other functions here: the plan may be made, and kept, while the catalogue is empty.
CREATE FUNCTION durable_end(of_medium uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET enable_seqscan TO off
AS $$
BEGIN
    RETURN coalesce((SELECT span_end(e.span) FROM extent e
                      WHERE e.medium = of_medium AND e.span IS NOT NULL
                        AND e.generation = (SELECT m.generation FROM medium m WHERE m.id = of_medium)
                      ORDER BY span_end(e.span) DESC LIMIT 1), 0);
END $$;

-- What lies somewhere stays there: a place that is known is never another one, as an address is not.
DROP TRIGGER extent_stays ON extent;
CREATE TRIGGER extent_stays BEFORE UPDATE OF state, medium, generation, address, span ON extent FOR EACH ROW
    WHEN (NEW.medium <> OLD.medium OR NEW.generation <> OLD.generation OR NEW.address <> OLD.address
          OR (NEW.state = 'pending' AND OLD.state <> 'pending')
          OR (OLD.span IS NOT NULL AND NEW.span IS DISTINCT FROM OLD.span))
    EXECUTE FUNCTION extent_stays();

-- Only when the place becomes known, which is once: a check would add the stretches up at every change of the row.
CREATE FUNCTION extent_fills_span() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF span_bytes(NEW.span) > NEW.bytes THEN
        RAISE EXCEPTION 'I3: extent % has % bytes, and its place on the tape more: %', NEW.id, NEW.bytes, NEW.span
            USING ERRCODE = 'RS003', CONSTRAINT = 'i3_extent_fills_span', DETAIL = NEW.id::text;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extent_inserted_fills_span BEFORE INSERT ON extent FOR EACH ROW
    WHEN (NEW.span IS NOT NULL) EXECUTE FUNCTION extent_fills_span();
CREATE TRIGGER extent_updated_fills_span BEFORE UPDATE OF span ON extent FOR EACH ROW
    WHEN (NEW.span IS NOT NULL AND OLD.span IS NULL) EXECUTE FUNCTION extent_fills_span();

-- A library has one tape of a barcode. Tapes on shelves are in none, and nobody tells theirs apart.
CREATE UNIQUE INDEX medium_tape_in_library ON medium (library, path) WHERE family = 'tape' AND library IS NOT NULL;

CREATE TYPE library_kind AS ENUM ('virtual', 'scsi');
CREATE TABLE library (
    name text COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    kind library_kind NOT NULL,
    place text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Nothing ever made a row of the table that had this name.
DROP TABLE device;
CREATE TABLE device (
    library text COLLATE "C" NOT NULL REFERENCES library (name) ON DELETE CASCADE,
    bay text COLLATE "C" NOT NULL CHECK (bay <> ''),
    serial text,
    model text,
    -- Why the operator locked it.
    locked text,
    health health NOT NULL,
    trouble text,
    PRIMARY KEY (library, bay)
);

-- Generated from schema/migrations by the test that compares it. Do not edit.
CREATE TYPE public.adm_state AS ENUM (
    'in_service',
    'read_only',
    'draining',
    'abandon_ship',
    'quarantined',
    'erasing',
    'retired',
    'dead'
);
CREATE TYPE public.extent_state AS ENUM (
    'pending',
    'sync',
    'orphan'
);
CREATE TYPE public.family AS ENUM (
    'tape',
    'dir'
);
CREATE TYPE public.fs_state AS ENUM (
    'blank',
    'empty',
    'used',
    'full'
);
CREATE TYPE public.hash_algorithm AS ENUM (
    'crc32',
    'md5',
    'sha1',
    'sha256',
    'sha512'
);
CREATE TYPE public.health AS ENUM (
    'ok',
    'suspect',
    'failing',
    'failed'
);
CREATE TYPE public.job_control AS ENUM (
    'run',
    'pause',
    'cancel'
);
CREATE TYPE public.job_kind AS ENUM (
    'repack',
    'migrate'
);
CREATE TYPE public.job_state AS ENUM (
    'queued',
    'running',
    'paused',
    'verifying',
    'quarantined',
    'reclaiming',
    'done',
    'done_with_skips',
    'failed',
    'cancelled',
    'restored'
);
CREATE TYPE public.library_kind AS ENUM (
    'virtual',
    'scsi'
);
CREATE TYPE public.medium_format AS ENUM (
    'respool',
    'ltfs'
);
CREATE TYPE public.move_state AS ENUM (
    'recorded',
    'swapped',
    'read_back',
    'dropped',
    'returned'
);
CREATE TYPE public.presence AS ENUM (
    'attached',
    'near',
    'shelf',
    'unseen',
    'missing'
);
CREATE TYPE public.standing AS ENUM (
    'level',
    'ahead',
    'unseen'
);
CREATE FUNCTION public.copies_share_medium(of_object uuid, of_copy smallint, on_medium uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET enable_seqscan TO 'off'
    AS $$
    SELECT EXISTS (SELECT 1 FROM (SELECT e.copy_no, e.medium, e.state FROM extent e WHERE e.object_id = of_object OFFSET 0) e
                    WHERE e.copy_no <> of_copy AND e.medium = on_medium AND e.state <> 'orphan')
        OR EXISTS (SELECT 1 FROM (SELECT l.extent, l.copy_no FROM layout l WHERE l.object_id = of_object OFFSET 0) l
                     CROSS JOIN LATERAL (SELECT e.medium FROM extent e WHERE e.id = l.extent OFFSET 0) e
                    WHERE l.copy_no <> of_copy AND e.medium = on_medium)
$$;
CREATE FUNCTION public.copies_that_share(of_objects uuid[], of_copies smallint[], on_media uuid[]) RETURNS TABLE(object_id uuid, medium uuid)
    LANGUAGE sql STABLE ROWS 1
    SET enable_seqscan TO 'off'
    AS $$
    SELECT n.object_id, n.medium FROM unnest(of_objects, of_copies, on_media) AS n (object_id, copy_no, medium)
     WHERE EXISTS (SELECT 1 FROM (SELECT e.copy_no, e.medium, e.state FROM extent e
                                   WHERE e.object_id = n.object_id OFFSET 0) e
                    WHERE e.copy_no <> n.copy_no AND e.medium = n.medium AND e.state <> 'orphan')
        OR EXISTS (SELECT 1 FROM (SELECT l.extent, l.copy_no FROM layout l WHERE l.object_id = n.object_id OFFSET 0) l
                     CROSS JOIN LATERAL (SELECT e.medium FROM extent e WHERE e.id = l.extent OFFSET 0) e
                    WHERE l.copy_no <> n.copy_no AND e.medium = n.medium)
     LIMIT 1
$$;
CREATE FUNCTION public.deleted_bytes(of_medium uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN (SELECT coalesce(sum(e.bytes), 0)::bigint FROM extent e
             WHERE e.medium = of_medium AND e.state = 'sync' AND NOT EXISTS
                   (SELECT FROM (SELECT l.object_id FROM layout l WHERE l.extent = e.id OFFSET 0) l
                      CROSS JOIN LATERAL (SELECT o.deleted_at FROM object o WHERE o.id = l.object_id OFFSET 0) o
                     WHERE o.deleted_at IS NULL));
END $$;
CREATE FUNCTION public.durable_end(of_medium uuid) RETURNS bigint
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN coalesce((SELECT span_end(e.span) FROM extent e
                      WHERE e.medium = of_medium AND e.span IS NOT NULL
                        AND e.generation = (SELECT m.generation FROM medium m WHERE m.id = of_medium)
                      ORDER BY span_end(e.span) DESC LIMIT 1), 0);
END $$;
CREATE FUNCTION public.extent_begins_unindexed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO extent_unindexed (medium, extent)
        SELECT n.medium, n.id FROM new_rows n JOIN medium m ON m.id = n.medium
         WHERE n.state <> 'orphan' AND m.format <> 'ltfs';
    RETURN NULL;
END $$;
CREATE FUNCTION public.extent_counted() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
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
CREATE FUNCTION public.extent_ends_unindexed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM strike_unindexed(o.medium, array_agg(o.id)) FROM old_rows o GROUP BY o.medium ORDER BY o.medium;
    RETURN NULL;
END $$;
CREATE FUNCTION public.extent_fills_span() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$
BEGIN
    IF NEW.span <> '' AND NEW.span || ',' !~ ('^(([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]):'
        '(0|[1-9][0-9]{0,17})\+(0|[1-9][0-9]{0,17})\*[1-9][0-9]{0,17}=[1-9][0-9]{0,17},)+$') THEN
        RAISE EXCEPTION 'extent % lies at no place that a tape has: %', NEW.id, NEW.span
            USING ERRCODE = 'check_violation', CONSTRAINT = 'extent_span', DETAIL = NEW.id::text;
    END IF;
    IF span_bytes(NEW.span) > NEW.bytes THEN
        RAISE EXCEPTION 'I3: extent % has % bytes, and its place on the tape more: %', NEW.id, NEW.bytes, NEW.span
            USING ERRCODE = 'RS003', CONSTRAINT = 'i3_extent_fills_span', DETAIL = NEW.id::text;
    END IF;
    RETURN NEW;
END $_$;
CREATE FUNCTION public.extent_inserted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    objects uuid[];
    copies smallint[];
    media uuid[];
    bad record;
BEGIN
    PERFORM 1 FROM medium WHERE id IN (SELECT medium FROM new_rows) ORDER BY id FOR SHARE;
    PERFORM 1 FROM object WHERE id IN (SELECT object_id FROM new_rows WHERE state <> 'orphan')
      ORDER BY id FOR NO KEY UPDATE;
    PERFORM guard_media(ARRAY(SELECT DISTINCT medium FROM new_rows WHERE state <> 'pending'), false);
    PERFORM guard_media(ARRAY(SELECT DISTINCT medium FROM new_rows WHERE state = 'pending'), true);
    SELECT n.medium, n.generation INTO bad FROM new_rows n
     WHERE n.generation <> (SELECT m.generation FROM medium m WHERE m.id = n.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % is not at generation % any more', bad.medium, bad.generation
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = bad.medium::text;
    END IF;
    SELECT array_agg(n.object_id), array_agg(n.copy_no), array_agg(n.medium) INTO objects, copies, media
      FROM new_rows n WHERE n.state <> 'orphan';
    SELECT s.object_id, s.medium INTO bad FROM copies_that_share(objects, copies, media) s;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of % is on medium %',
            (SELECT n.oid || ' version ' || n.version FROM new_rows n WHERE n.object_id = bad.object_id LIMIT 1), bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.extent_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'I2: extent % keeps its place, and is pending only when it is new', OLD.id
        USING ERRCODE = 'RS002', CONSTRAINT = 'i2_extent_stays', DETAIL = OLD.id::text;
END $$;
CREATE FUNCTION public.extent_updated() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    synced uuid[];
    objects uuid[];
    copies smallint[];
    media uuid[];
    bad record;
BEGIN
    SELECT array_agg(n.id) INTO synced FROM new_rows n
     WHERE n.state = 'sync' AND NOT EXISTS (SELECT 1 FROM old_rows o WHERE o.id = n.id AND o.state = 'sync');
    IF synced IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM medium WHERE id IN (SELECT medium FROM new_rows WHERE id = ANY (synced)) ORDER BY id FOR SHARE;
    PERFORM 1 FROM object WHERE id IN (SELECT object_id FROM new_rows WHERE id = ANY (synced))
      ORDER BY id FOR NO KEY UPDATE;
    PERFORM guard_media(ARRAY(SELECT DISTINCT medium FROM new_rows WHERE state = 'sync'), false);
    SELECT n.medium, n.generation INTO bad FROM new_rows n
     WHERE n.state = 'sync' AND n.generation <> (SELECT m.generation FROM medium m WHERE m.id = n.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % is not at generation % any more', bad.medium, bad.generation
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = bad.medium::text;
    END IF;
    -- A pending extent stood for its copy already when it was inserted; an orphan that comes back did not.
    SELECT array_agg(n.object_id), array_agg(n.copy_no), array_agg(n.medium) INTO objects, copies, media
      FROM new_rows n
     WHERE n.state = 'sync' AND NOT EXISTS (SELECT 1 FROM old_rows o WHERE o.id = n.id AND o.state <> 'orphan');
    SELECT s.object_id, s.medium INTO bad FROM copies_that_share(objects, copies, media) s;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of % is on medium %',
            (SELECT n.oid || ' version ' || n.version FROM new_rows n WHERE n.object_id = bad.object_id LIMIT 1), bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.guard_media(media uuid[], takes_new boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.is_indexed(of_medium uuid, of_extent uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM extent_unindexed u WHERE u.medium = of_medium AND u.extent = of_extent);
END $$;
CREATE FUNCTION public.layout_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    objects uuid[];
    copies smallint[];
    media uuid[];
    bad record;
BEGIN
    SELECT array_agg(DISTINCT (SELECT e.medium FROM extent e WHERE e.id = n.extent)) INTO media FROM new_rows n;
    PERFORM 1 FROM medium WHERE id = ANY (media) ORDER BY id FOR SHARE;
    PERFORM 1 FROM object WHERE id IN (SELECT object_id FROM new_rows) ORDER BY id FOR NO KEY UPDATE;
    PERFORM guard_media(media, false);
    SELECT e.medium INTO bad FROM new_rows n CROSS JOIN LATERAL
        (SELECT e.medium, e.generation FROM extent e WHERE e.id = n.extent OFFSET 0) e
     WHERE e.generation <> (SELECT m.generation FROM medium m WHERE m.id = e.medium) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'I6: medium % was erased since', bad.medium
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_generation', DETAIL = bad.medium::text;
    END IF;
    SELECT array_agg(n.object_id), array_agg(n.copy_no), array_agg(e.medium) INTO objects, copies, media
      FROM new_rows n CROSS JOIN LATERAL (SELECT e.medium FROM extent e WHERE e.id = n.extent OFFSET 0) e;
    SELECT s.object_id, s.medium INTO bad FROM copies_that_share(objects, copies, media) s;
    IF FOUND THEN
        RAISE EXCEPTION 'I10: another copy of object % is on medium %', bad.object_id, bad.medium
            USING ERRCODE = 'RS010', CONSTRAINT = 'i10_copies_apart', DETAIL = bad.medium::text;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.medium_updated() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
    IF OLD.adm_state = 'erasing' AND NEW.adm_state NOT IN ('erasing', coalesce(OLD.operator_state, 'in_service'))
       AND NOT (NEW.adm_state = 'dead' AND OLD.standing <> 'level') THEN
        RAISE EXCEPTION 'I6: medium % may only be erased again', OLD.name
            USING ERRCODE = 'RS006', CONSTRAINT = 'i6_fence', DETAIL = OLD.id::text;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.span_bytes(span text) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
BEGIN
    IF span <> '' AND strpos(span, ',') = 0 THEN
        RETURN split_part(span, '=', 2)::numeric;
    END IF;
    RETURN (SELECT coalesce(sum(split_part(one, '=', 2)::numeric), 0) FROM string_to_table(span, ',') AS one);
END $$;
CREATE FUNCTION public.span_end(span text) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
BEGIN
    IF span LIKE '1:%' AND strpos(span, ',') = 0 THEN
        RETURN split_part(split_part(span, ':', 2), '+', 1)::bigint
               + split_part(split_part(span, '*', 2), '=', 1)::bigint;
    END IF;
    RETURN (SELECT coalesce(max(split_part(split_part(one, ':', 2), '+', 1)::bigint
                                + split_part(split_part(one, '*', 2), '=', 1)::bigint), 0)
              FROM string_to_table(span, ',') AS one WHERE one LIKE '1:%');
END $$;
CREATE FUNCTION public.strike_unindexed(of_medium uuid, of_extents uuid[]) RETURNS bigint
    LANGUAGE plpgsql STRICT
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    struck bigint;
BEGIN
    DELETE FROM extent_unindexed WHERE ctid = ANY (ARRAY(
        SELECT u.ctid FROM (SELECT DISTINCT x.extent FROM unnest(of_extents) AS x (extent) ORDER BY x.extent) n
         CROSS JOIN LATERAL (SELECT u.ctid FROM extent_unindexed u
                              WHERE u.medium = of_medium AND u.extent = n.extent FOR UPDATE) u));
    GET DIAGNOSTICS struck = ROW_COUNT;
    RETURN struck;
END $$;
CREATE FUNCTION public.sync_has_digests() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR NOT EXISTS (SELECT FROM medium m WHERE m.id = NEW.medium AND m.format = 'ltfs') THEN
        RAISE EXCEPTION 'I2: extent % would be sync, and nobody knows what its bytes digest to', NEW.id
            USING ERRCODE = 'RS002', CONSTRAINT = 'i2_sync_has_digests', DETAIL = NEW.id::text;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.sync_is_referenced() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    subject uuid;
BEGIN
    IF TG_TABLE_NAME = 'extent' THEN subject := NEW.id; ELSE subject := OLD.extent; END IF;
    IF NOT EXISTS (SELECT FROM layout WHERE extent = subject)
       AND EXISTS (SELECT FROM extent WHERE id = subject AND state = 'sync') THEN
        RAISE EXCEPTION 'I2: extent % would be sync with no layout entry', subject
            USING ERRCODE = 'RS002', CONSTRAINT = 'i2_sync_is_referenced', DETAIL = subject::text;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.unindexed_live(of_medium uuid, beyond uuid, most bigint) RETURNS TABLE(id uuid, bytes bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN QUERY SELECT u.extent, e.bytes FROM extent_unindexed u
      CROSS JOIN LATERAL (SELECT x.bytes FROM extent x WHERE x.id = u.extent AND x.state = 'sync' OFFSET 0) e
      WHERE u.medium = of_medium AND u.extent > beyond ORDER BY u.extent LIMIT most;
END $$;
CREATE FUNCTION public.unindexed_of(extents uuid[]) RETURNS TABLE(id uuid)
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    RETURN QUERY SELECT u.extent FROM (SELECT e.medium, e.id FROM extent e WHERE e.id = ANY (extents) OFFSET 0) e
      CROSS JOIN LATERAL (SELECT x.extent FROM extent_unindexed x
                           WHERE x.medium = e.medium AND x.extent = e.id OFFSET 0) u;
END $$;
CREATE TABLE public.catalogue (
    only_one boolean DEFAULT true NOT NULL,
    id uuid NOT NULL,
    testing boolean NOT NULL,
    clock timestamp with time zone,
    chain_length bigint DEFAULT 0 NOT NULL,
    chain_head bytea DEFAULT decode(repeat('00'::text, 32), 'hex'::text) NOT NULL,
    restored_at timestamp with time zone,
    CONSTRAINT catalogue_chain_head_check CHECK ((octet_length(chain_head) = 32)),
    CONSTRAINT catalogue_only_one_check CHECK (only_one)
);
CREATE TABLE public.commit_mark (
    token uuid NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE public.copy (
    object_id uuid NOT NULL,
    copy_no smallint NOT NULL,
    layout_type text NOT NULL,
    params jsonb NOT NULL,
    extents integer NOT NULL,
    CONSTRAINT copy_copy_no_check CHECK ((copy_no >= 0)),
    CONSTRAINT copy_extents_check CHECK ((extents > 0)),
    CONSTRAINT copy_layout_type_check CHECK ((layout_type = 'simple'::text))
);
CREATE TABLE public.device (
    library text NOT NULL COLLATE pg_catalog."C",
    bay text NOT NULL COLLATE pg_catalog."C",
    serial text,
    model text,
    locked text,
    health public.health NOT NULL,
    trouble text,
    CONSTRAINT device_bay_check CHECK ((bay <> ''::text))
);
CREATE TABLE public.event (
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL,
    link bigint,
    prev_hash bytea,
    this_hash bytea,
    CONSTRAINT event_prev_hash_check CHECK ((octet_length(prev_hash) = 32)),
    CONSTRAINT event_sealed_whole CHECK ((num_nonnulls(link, prev_hash, this_hash) = ANY (ARRAY[0, 3]))),
    CONSTRAINT event_this_hash_check CHECK ((octet_length(this_hash) = 32))
);
ALTER TABLE public.event ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.event_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.extent (
    id uuid NOT NULL,
    state public.extent_state NOT NULL,
    object_id uuid NOT NULL,
    oid text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    copy_no smallint NOT NULL,
    index integer NOT NULL,
    medium uuid NOT NULL,
    generation bigint NOT NULL,
    address text NOT NULL COLLATE pg_catalog."C",
    bytes bigint NOT NULL,
    blake3 bytea,
    crc32 bigint,
    chunk_crcs bytea,
    md5 bytea,
    sha256 bytea,
    xxh128 bytea,
    owner_job bigint,
    owner_session uuid,
    owner_epoch bigint,
    inode bigint,
    hold_until timestamp with time zone,
    hold_forever boolean DEFAULT false NOT NULL,
    verified_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    span text,
    CONSTRAINT extent_blake3_check CHECK ((octet_length(blake3) = 32)),
    CONSTRAINT extent_bytes_check CHECK ((bytes >= 0)),
    CONSTRAINT extent_chunk_crcs_check CHECK (((octet_length(chunk_crcs) % 4) = 0)),
    CONSTRAINT extent_copy_no_check CHECK ((copy_no >= 0)),
    CONSTRAINT extent_crc32_check CHECK (((crc32 >= 0) AND (crc32 <= '4294967295'::bigint))),
    CONSTRAINT extent_digests_whole CHECK ((num_nonnulls(blake3, crc32, chunk_crcs) = ANY (ARRAY[0, 3]))),
    CONSTRAINT extent_hold CHECK (((state = 'orphan'::public.extent_state) OR ((hold_until IS NULL) AND (NOT hold_forever)))),
    CONSTRAINT extent_index_check CHECK ((index >= 0)),
    CONSTRAINT extent_md5_check CHECK ((octet_length(md5) = 16)),
    CONSTRAINT extent_one_hold CHECK (((hold_until IS NULL) OR (NOT hold_forever))),
    CONSTRAINT extent_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT extent_xxh128_check CHECK ((octet_length(xxh128) = 16)),
    CONSTRAINT i2_pending_is_owned CHECK ((((state = 'pending'::public.extent_state) = ((num_nonnulls(owner_job, owner_session) = 1) AND (owner_epoch IS NOT NULL))) AND ((state = 'pending'::public.extent_state) OR (num_nonnulls(owner_job, owner_session, owner_epoch) = 0))))
);
CREATE TABLE public.extent_hash (
    extent uuid NOT NULL,
    algorithm public.hash_algorithm NOT NULL,
    value text NOT NULL,
    CONSTRAINT extent_hash_value_check CHECK ((value ~ '^([0-9a-f]{2})+$'::text))
);
CREATE TABLE public.extent_unindexed (
    medium uuid NOT NULL,
    extent uuid NOT NULL
);
CREATE UNLOGGED TABLE public.import_staging (
    batch uuid NOT NULL,
    "position" bigint NOT NULL,
    extent uuid NOT NULL,
    object_id uuid NOT NULL,
    oid text NOT NULL,
    version integer NOT NULL,
    copy_no smallint NOT NULL,
    index integer NOT NULL,
    address text NOT NULL,
    bytes bigint NOT NULL,
    blake3 bytea NOT NULL,
    crc32 bigint NOT NULL,
    chunk_crcs bytea NOT NULL,
    inode bigint,
    span text
);
CREATE TABLE public.job (
    id bigint NOT NULL,
    kind public.job_kind NOT NULL,
    state public.job_state NOT NULL,
    control public.job_control NOT NULL,
    spec jsonb NOT NULL,
    tally jsonb NOT NULL,
    error jsonb,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone
);
ALTER TABLE public.job ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.job_move (
    new_extent uuid NOT NULL,
    job bigint NOT NULL,
    old_extent uuid NOT NULL,
    state public.move_state NOT NULL
);
CREATE TABLE public.job_skip (
    job bigint NOT NULL,
    extent uuid NOT NULL,
    oid text NOT NULL COLLATE pg_catalog."C",
    medium uuid NOT NULL,
    reason text NOT NULL,
    integrity boolean NOT NULL
);
CREATE TABLE public.job_source (
    job bigint NOT NULL,
    medium uuid NOT NULL,
    "position" integer NOT NULL,
    active boolean NOT NULL
);
CREATE TABLE public.job_substitution (
    new_extent uuid NOT NULL,
    job bigint NOT NULL,
    old_extent uuid NOT NULL,
    oid text NOT NULL COLLATE pg_catalog."C",
    medium uuid NOT NULL,
    read_from uuid NOT NULL,
    reason text NOT NULL,
    wrong_bytes boolean NOT NULL
);
CREATE TABLE public.medium (
    id uuid NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    family public.family NOT NULL,
    technology text NOT NULL,
    path text NOT NULL,
    dock text,
    library text,
    tags text[] NOT NULL,
    class text,
    adm_state public.adm_state NOT NULL,
    locked boolean NOT NULL,
    health public.health NOT NULL,
    presence public.presence NOT NULL,
    fs_state public.fs_state NOT NULL,
    generation bigint NOT NULL,
    capacity bigint,
    revision bigint DEFAULT 0 NOT NULL,
    quarantined_until timestamp with time zone,
    emptied_by bigint,
    created_at timestamp with time zone NOT NULL,
    operator_state public.adm_state,
    standing public.standing DEFAULT 'level'::public.standing NOT NULL,
    doubts integer DEFAULT 0 NOT NULL,
    health_since timestamp with time zone,
    format public.medium_format DEFAULT 'respool'::public.medium_format NOT NULL,
    CONSTRAINT medium_capacity_check CHECK ((capacity >= 0)),
    CONSTRAINT medium_emptied CHECK (((adm_state = ANY (ARRAY['quarantined'::public.adm_state, 'erasing'::public.adm_state])) OR (emptied_by IS NULL))),
    CONSTRAINT medium_generation_check CHECK ((generation >= 0)),
    CONSTRAINT medium_name_check CHECK ((name <> ''::text)),
    CONSTRAINT medium_operator_state CHECK ((operator_state = ANY (ARRAY['in_service'::public.adm_state, 'read_only'::public.adm_state, 'draining'::public.adm_state, 'abandon_ship'::public.adm_state, 'retired'::public.adm_state]))),
    CONSTRAINT medium_quarantine CHECK (((adm_state = 'quarantined'::public.adm_state) OR (quarantined_until IS NULL))),
    CONSTRAINT medium_revision_check CHECK ((revision >= 0))
);
CREATE VIEW public.last_good AS
 SELECT o.id AS orphan,
    o.medium,
    n.id AS live
   FROM (((public.medium m
     JOIN public.extent n ON (((n.medium = m.id) AND (n.state = 'sync'::public.extent_state))))
     JOIN public.extent o ON (((o.object_id = n.object_id) AND (o.copy_no = n.copy_no) AND (o.index = n.index) AND (o.state = 'orphan'::public.extent_state) AND (o.bytes = n.bytes) AND (o.blake3 = n.blake3))))
     JOIN public.medium its ON (((its.id = o.medium) AND (its.generation = o.generation))))
  WHERE (((m.adm_state = 'dead'::public.adm_state) OR (m.presence = 'missing'::public.presence) OR (m.health = 'failed'::public.health) OR ((m.health <> 'ok'::public.health) AND (n.verified_at IS NULL))) AND ((o.verified_at IS NOT NULL) OR (EXISTS ( SELECT 1
           FROM public.job_move v
          WHERE ((v.old_extent = o.id) AND (v.state = ANY (ARRAY['swapped'::public.move_state, 'read_back'::public.move_state]))))) OR public.is_indexed(o.medium, o.id)));
CREATE TABLE public.layout (
    object_id uuid NOT NULL,
    copy_no smallint NOT NULL,
    index integer NOT NULL,
    extent uuid NOT NULL,
    extent_state public.extent_state DEFAULT 'sync'::public.extent_state NOT NULL,
    CONSTRAINT i1_layout_pins_sync CHECK ((extent_state = 'sync'::public.extent_state)),
    CONSTRAINT layout_index_check CHECK ((index >= 0))
);
CREATE TABLE public.lease (
    key text NOT NULL COLLATE pg_catalog."C",
    holder uuid,
    seat text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT lease_epoch_check CHECK ((epoch > 0))
);
CREATE TABLE public.library (
    name text NOT NULL COLLATE pg_catalog."C",
    kind public.library_kind NOT NULL,
    place text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT library_name_check CHECK ((name <> ''::text))
);
CREATE TABLE public.medium_grouping (
    medium uuid NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.medium_used (
    medium uuid NOT NULL,
    part bigint NOT NULL,
    bytes bigint NOT NULL
)
WITH (fillfactor='50');
ALTER TABLE public.medium_used ALTER COLUMN part ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.medium_used_part_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.object (
    id uuid NOT NULL,
    oid text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    bytes bigint NOT NULL,
    copies smallint NOT NULL,
    "grouping" text,
    metadata jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    purged_at timestamp with time zone,
    CONSTRAINT object_bytes_check CHECK ((bytes >= 0)),
    CONSTRAINT object_copies_check CHECK ((copies > 0)),
    CONSTRAINT object_oid_check CHECK (((octet_length(oid) >= 1) AND (octet_length(oid) <= 1023))),
    CONSTRAINT object_purged CHECK (((purged_at IS NULL) OR (deleted_at IS NOT NULL))),
    CONSTRAINT object_version_check CHECK ((version > 0))
);
CREATE SEQUENCE public.revision
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER TABLE ONLY public.catalogue
    ADD CONSTRAINT catalogue_pkey PRIMARY KEY (only_one);
ALTER TABLE ONLY public.commit_mark
    ADD CONSTRAINT commit_mark_pkey PRIMARY KEY (token);
ALTER TABLE ONLY public.copy
    ADD CONSTRAINT copy_pkey PRIMARY KEY (object_id, copy_no);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (library, bay);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_link UNIQUE (link);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.extent
    ADD CONSTRAINT extent_address UNIQUE (medium, generation, address);
ALTER TABLE ONLY public.extent_hash
    ADD CONSTRAINT extent_hash_pkey PRIMARY KEY (extent, algorithm);
ALTER TABLE ONLY public.extent
    ADD CONSTRAINT extent_id_state UNIQUE (id, state);
ALTER TABLE ONLY public.extent
    ADD CONSTRAINT extent_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.extent_unindexed
    ADD CONSTRAINT extent_unindexed_pkey PRIMARY KEY (medium, extent);
ALTER TABLE ONLY public.import_staging
    ADD CONSTRAINT import_staging_pkey PRIMARY KEY (batch, "position");
ALTER TABLE ONLY public.job_move
    ADD CONSTRAINT job_move_pkey PRIMARY KEY (new_extent);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.job_skip
    ADD CONSTRAINT job_skip_pkey PRIMARY KEY (job, extent);
ALTER TABLE ONLY public.job_source
    ADD CONSTRAINT job_source_pkey PRIMARY KEY (job, medium);
ALTER TABLE ONLY public.job_substitution
    ADD CONSTRAINT job_substitution_pkey PRIMARY KEY (new_extent);
ALTER TABLE ONLY public.layout
    ADD CONSTRAINT layout_pkey PRIMARY KEY (object_id, copy_no, index);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.library
    ADD CONSTRAINT library_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.medium_grouping
    ADD CONSTRAINT medium_grouping_pkey PRIMARY KEY (medium, name);
ALTER TABLE ONLY public.medium
    ADD CONSTRAINT medium_name UNIQUE (name);
ALTER TABLE ONLY public.medium
    ADD CONSTRAINT medium_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.medium_used
    ADD CONSTRAINT medium_used_pkey PRIMARY KEY (medium, part);
ALTER TABLE ONLY public.object
    ADD CONSTRAINT object_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.object
    ADD CONSTRAINT object_version UNIQUE (oid, version);
CREATE INDEX commit_mark_by_time ON public.commit_mark USING btree (at);
CREATE INDEX event_unsealed ON public.event USING btree (seq) WHERE (link IS NULL);
CREATE INDEX extent_by_end ON public.extent USING btree (medium, generation, public.span_end(span)) WHERE (span IS NOT NULL);
CREATE INDEX extent_by_medium ON public.extent USING btree (medium, state, id);
CREATE INDEX extent_by_object ON public.extent USING btree (object_id);
CREATE INDEX extent_by_oid ON public.extent USING hash (oid);
CREATE INDEX extent_pending ON public.extent USING btree (medium, id) WHERE (state = 'pending'::public.extent_state);
CREATE INDEX job_active ON public.job USING btree (id) WHERE (state = ANY (ARRAY['queued'::public.job_state, 'running'::public.job_state, 'paused'::public.job_state, 'verifying'::public.job_state, 'quarantined'::public.job_state, 'reclaiming'::public.job_state]));
CREATE INDEX job_move_by_job ON public.job_move USING btree (job, state, new_extent);
CREATE INDEX job_move_by_old ON public.job_move USING btree (old_extent);
CREATE INDEX job_source_by_medium ON public.job_source USING btree (medium, job);
CREATE UNIQUE INDEX job_source_one_active ON public.job_source USING btree (medium) WHERE active;
CREATE INDEX job_substitution_by_job ON public.job_substitution USING btree (job, new_extent);
CREATE INDEX layout_by_extent ON public.layout USING btree (extent);
CREATE INDEX medium_in_doubt ON public.medium USING btree (name) WHERE (standing <> 'level'::public.standing);
CREATE UNIQUE INDEX medium_tape_in_library ON public.medium USING btree (library, path) WHERE ((family = 'tape'::public.family) AND (library IS NOT NULL));
CREATE INDEX object_deleted ON public.object USING btree (deleted_at, id) WHERE ((deleted_at IS NOT NULL) AND (purged_at IS NULL));
CREATE UNIQUE INDEX object_one_live ON public.object USING btree (oid) WHERE (deleted_at IS NULL);
CREATE TRIGGER extent_deleted_counted AFTER DELETE ON public.extent REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.extent_counted();
ALTER TABLE public.extent ENABLE ALWAYS TRIGGER extent_deleted_counted;
CREATE TRIGGER extent_deleted_unindexed AFTER DELETE ON public.extent REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.extent_ends_unindexed();
ALTER TABLE public.extent ENABLE ALWAYS TRIGGER extent_deleted_unindexed;
CREATE TRIGGER extent_inserted AFTER INSERT ON public.extent REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.extent_inserted();
CREATE TRIGGER extent_inserted_counted AFTER INSERT ON public.extent REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.extent_counted();
ALTER TABLE public.extent ENABLE ALWAYS TRIGGER extent_inserted_counted;
CREATE TRIGGER extent_inserted_fills_span BEFORE INSERT ON public.extent FOR EACH ROW WHEN ((new.span IS NOT NULL)) EXECUTE FUNCTION public.extent_fills_span();
ALTER TABLE public.extent ENABLE ALWAYS TRIGGER extent_inserted_fills_span;
CREATE TRIGGER extent_inserted_has_digests BEFORE INSERT ON public.extent FOR EACH ROW WHEN (((new.state = 'sync'::public.extent_state) AND (num_nonnulls(new.blake3, new.crc32, new.chunk_crcs) < 3))) EXECUTE FUNCTION public.sync_has_digests();
CREATE CONSTRAINT TRIGGER extent_inserted_is_referenced AFTER INSERT ON public.extent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.state = 'sync'::public.extent_state)) EXECUTE FUNCTION public.sync_is_referenced();
CREATE TRIGGER extent_inserted_unindexed AFTER INSERT ON public.extent REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.extent_begins_unindexed();
ALTER TABLE public.extent ENABLE ALWAYS TRIGGER extent_inserted_unindexed;
CREATE TRIGGER extent_stays BEFORE UPDATE OF state, medium, generation, address, span ON public.extent FOR EACH ROW WHEN (((new.medium <> old.medium) OR (new.generation <> old.generation) OR (new.address <> old.address) OR ((new.state = 'pending'::public.extent_state) AND (old.state <> 'pending'::public.extent_state)) OR ((old.span IS NOT NULL) AND (new.span IS DISTINCT FROM old.span)))) EXECUTE FUNCTION public.extent_stays();
CREATE TRIGGER extent_updated AFTER UPDATE ON public.extent REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.extent_updated();
CREATE TRIGGER extent_updated_fills_span BEFORE UPDATE OF span ON public.extent FOR EACH ROW WHEN (((new.span IS NOT NULL) AND (old.span IS DISTINCT FROM new.span))) EXECUTE FUNCTION public.extent_fills_span();
ALTER TABLE public.extent ENABLE ALWAYS TRIGGER extent_updated_fills_span;
CREATE TRIGGER extent_updated_has_digests BEFORE UPDATE OF state, blake3, crc32, chunk_crcs ON public.extent FOR EACH ROW WHEN (((new.state = 'sync'::public.extent_state) AND (num_nonnulls(new.blake3, new.crc32, new.chunk_crcs) < 3) AND ((old.state <> 'sync'::public.extent_state) OR (num_nonnulls(old.blake3, old.crc32, old.chunk_crcs) = 3)))) EXECUTE FUNCTION public.sync_has_digests();
CREATE CONSTRAINT TRIGGER extent_updated_is_referenced AFTER UPDATE OF state ON public.extent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = 'sync'::public.extent_state) AND (old.state <> 'sync'::public.extent_state))) EXECUTE FUNCTION public.sync_is_referenced();
CREATE CONSTRAINT TRIGGER layout_deleted_is_referenced AFTER DELETE ON public.layout DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.sync_is_referenced();
CREATE TRIGGER layout_inserted AFTER INSERT ON public.layout REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.layout_changed();
CREATE TRIGGER layout_updated AFTER UPDATE ON public.layout REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.layout_changed();
CREATE CONSTRAINT TRIGGER layout_updated_is_referenced AFTER UPDATE OF extent ON public.layout DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.extent <> old.extent)) EXECUTE FUNCTION public.sync_is_referenced();
CREATE TRIGGER medium_updated BEFORE UPDATE OF adm_state, generation ON public.medium FOR EACH ROW WHEN (((new.generation <> old.generation) OR ((new.adm_state = 'erasing'::public.adm_state) <> (old.adm_state = 'erasing'::public.adm_state)))) EXECUTE FUNCTION public.medium_updated();
ALTER TABLE ONLY public.copy
    ADD CONSTRAINT copy_object_id_fkey FOREIGN KEY (object_id) REFERENCES public.object(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_library_fkey FOREIGN KEY (library) REFERENCES public.library(name) ON DELETE CASCADE;
ALTER TABLE ONLY public.extent_hash
    ADD CONSTRAINT extent_hash_extent_fkey FOREIGN KEY (extent) REFERENCES public.extent(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.extent
    ADD CONSTRAINT extent_medium_fkey FOREIGN KEY (medium) REFERENCES public.medium(id);
ALTER TABLE ONLY public.extent
    ADD CONSTRAINT extent_owner_job_fkey FOREIGN KEY (owner_job) REFERENCES public.job(id);
ALTER TABLE ONLY public.layout
    ADD CONSTRAINT i1_layout_references_sync FOREIGN KEY (extent, extent_state) REFERENCES public.extent(id, state);
ALTER TABLE ONLY public.job_move
    ADD CONSTRAINT job_move_job_fkey FOREIGN KEY (job) REFERENCES public.job(id);
ALTER TABLE ONLY public.job_skip
    ADD CONSTRAINT job_skip_job_fkey FOREIGN KEY (job) REFERENCES public.job(id);
ALTER TABLE ONLY public.job_source
    ADD CONSTRAINT job_source_job_fkey FOREIGN KEY (job) REFERENCES public.job(id);
ALTER TABLE ONLY public.job_source
    ADD CONSTRAINT job_source_medium_fkey FOREIGN KEY (medium) REFERENCES public.medium(id);
ALTER TABLE ONLY public.job_substitution
    ADD CONSTRAINT job_substitution_job_fkey FOREIGN KEY (job) REFERENCES public.job(id);
ALTER TABLE ONLY public.job_substitution
    ADD CONSTRAINT job_substitution_new_extent_fkey FOREIGN KEY (new_extent) REFERENCES public.job_move(new_extent);
ALTER TABLE ONLY public.layout
    ADD CONSTRAINT layout_object_id_copy_no_fkey FOREIGN KEY (object_id, copy_no) REFERENCES public.copy(object_id, copy_no);
ALTER TABLE ONLY public.medium
    ADD CONSTRAINT medium_emptied_by_fkey FOREIGN KEY (emptied_by) REFERENCES public.job(id);
ALTER TABLE ONLY public.medium_grouping
    ADD CONSTRAINT medium_grouping_medium_fkey FOREIGN KEY (medium) REFERENCES public.medium(id) ON DELETE CASCADE;

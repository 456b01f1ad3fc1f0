-- The catalogue's tables. What they must never hold is refused by the constraints here and by the guards of the next
-- migration; README.md says which invariant lives where.

CREATE TYPE family AS ENUM ('tape', 'dir');
CREATE TYPE adm_state AS ENUM
    ('in_service', 'read_only', 'draining', 'abandon_ship', 'quarantined', 'erasing', 'retired', 'dead');
CREATE TYPE health AS ENUM ('ok', 'suspect', 'failing', 'failed');
CREATE TYPE presence AS ENUM ('attached', 'near', 'shelf', 'unseen', 'missing');
CREATE TYPE fs_state AS ENUM ('blank', 'empty', 'used', 'full');
CREATE TYPE extent_state AS ENUM ('pending', 'sync', 'orphan');
CREATE TYPE job_kind AS ENUM ('repack', 'migrate');
CREATE TYPE job_state AS ENUM
    ('queued', 'running', 'paused', 'verifying', 'quarantined', 'reclaiming', 'done', 'done_with_skips', 'failed',
     'cancelled', 'restored');
CREATE TYPE job_control AS ENUM ('run', 'pause', 'cancel');
CREATE TYPE move_state AS ENUM ('recorded', 'swapped', 'read_back', 'dropped', 'returned');

-- Raised once by every transaction that changes a state. A sequence, because a row would be hot.
CREATE SEQUENCE revision AS bigint;

CREATE TABLE catalogue (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    id uuid NOT NULL,
    testing boolean NOT NULL,
    -- The highest time seen: destruction by age needs it.
    clock timestamptz,
    -- The end of the event chain: its length and the hash of its last event.
    chain_length bigint NOT NULL DEFAULT 0,
    chain_head bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(chain_head) = 32)
);

CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind job_kind NOT NULL,
    state job_state NOT NULL,
    control job_control NOT NULL,
    spec jsonb NOT NULL,
    tally jsonb NOT NULL,
    error jsonb,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);

CREATE TABLE medium (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT medium_name UNIQUE CHECK (name <> ''),
    family family NOT NULL,
    technology text NOT NULL,
    path text NOT NULL,
    dock text,
    library text,
    tags text[] NOT NULL,
    class text,
    adm_state adm_state NOT NULL,
    locked boolean NOT NULL,
    health health NOT NULL,
    presence presence NOT NULL,
    fs_state fs_state NOT NULL,
    generation bigint NOT NULL CHECK (generation >= 0),
    capacity bigint CHECK (capacity >= 0),
    revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    quarantined_until timestamptz,
    emptied_by bigint REFERENCES job,
    created_at timestamptz NOT NULL,
    CONSTRAINT medium_quarantine CHECK (adm_state = 'quarantined' OR quarantined_until IS NULL),
    CONSTRAINT medium_emptied CHECK (adm_state IN ('quarantined', 'erasing') OR emptied_by IS NULL)
);

-- Beside the medium's row, so that a put of a new grouping does not have to change a row that others share.
CREATE TABLE medium_grouping (
    medium uuid NOT NULL REFERENCES medium ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (medium, name)
);

CREATE TABLE device (
    name text COLLATE "C" PRIMARY KEY,
    family family NOT NULL,
    host text NOT NULL,
    path text NOT NULL,
    library text,
    locked boolean NOT NULL DEFAULT false,
    health health NOT NULL DEFAULT 'ok',
    created_at timestamptz NOT NULL
);

CREATE TABLE lease (
    key text COLLATE "C" PRIMARY KEY,
    -- Null once given back: the epoch is dead, the next holder has the next one.
    holder uuid,
    seat text NOT NULL,
    epoch bigint NOT NULL CHECK (epoch > 0),
    expires_at timestamptz NOT NULL
);

CREATE TABLE object (
    id uuid PRIMARY KEY,
    oid text COLLATE "C" NOT NULL CHECK (octet_length(oid) BETWEEN 1 AND 1023),
    version integer NOT NULL CHECK (version > 0),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    copies smallint NOT NULL CHECK (copies > 0),
    "grouping" text,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    -- A tombstone: it keeps an import from bringing back what was deleted, as long as any medium may hold the bytes.
    purged_at timestamptz,
    CONSTRAINT object_version UNIQUE (oid, version),
    CONSTRAINT object_purged CHECK (purged_at IS NULL OR deleted_at IS NOT NULL)
);
CREATE UNIQUE INDEX object_one_live ON object (oid) WHERE deleted_at IS NULL;
CREATE INDEX object_deleted ON object (deleted_at, id) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;

CREATE TABLE copy (
    object_id uuid NOT NULL REFERENCES object ON DELETE CASCADE,
    copy_no smallint NOT NULL CHECK (copy_no >= 0),
    layout_type text NOT NULL CHECK (layout_type = 'simple'),
    params jsonb NOT NULL,
    -- How many extents a complete copy has; stays with a tombstone.
    extents integer NOT NULL CHECK (extents > 0),
    PRIMARY KEY (object_id, copy_no)
);

CREATE TABLE extent (
    id uuid PRIMARY KEY,
    state extent_state NOT NULL,
    -- What it was written for. No foreign key: a put's object does not exist yet, an orphan's may be gone.
    object_id uuid NOT NULL,
    oid text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    copy_no smallint NOT NULL CHECK (copy_no >= 0),
    index integer NOT NULL CHECK (index >= 0),
    medium uuid NOT NULL REFERENCES medium,
    generation bigint NOT NULL,
    address text COLLATE "C" NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    blake3 bytea CHECK (octet_length(blake3) = 32),
    -- CRC-32/ISO-HDLC of the whole and, big-endian, of each chunk of 16 MiB.
    crc32 bigint CHECK (crc32 BETWEEN 0 AND 4294967295),
    chunk_crcs bytea CHECK (octet_length(chunk_crcs) % 4 = 0),
    -- Digests found on imported media, kept beside ours.
    md5 bytea CHECK (octet_length(md5) = 16),
    sha256 bytea CHECK (octet_length(sha256) = 32),
    xxh128 bytea CHECK (octet_length(xxh128) = 16),
    owner_job bigint REFERENCES job,
    owner_session uuid,
    owner_epoch bigint,
    -- The bits of an unsigned number.
    inode bigint,
    indexed boolean NOT NULL DEFAULT false,
    hold_until timestamptz,
    hold_forever boolean NOT NULL DEFAULT false,
    verified_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT extent_id_state UNIQUE (id, state),
    CONSTRAINT extent_address UNIQUE (medium, generation, address),
    CONSTRAINT extent_digests_whole CHECK (num_nonnulls(blake3, crc32, chunk_crcs) IN (0, 3)),
    CONSTRAINT i2_pending_is_owned CHECK (
        (state = 'pending') = (num_nonnulls(owner_job, owner_session) = 1 AND owner_epoch IS NOT NULL)
        AND (state = 'pending' OR num_nonnulls(owner_job, owner_session, owner_epoch) = 0)),
    CONSTRAINT i2_sync_has_digests CHECK (state <> 'sync' OR num_nonnulls(blake3, crc32, chunk_crcs) = 3),
    CONSTRAINT extent_hold CHECK (state = 'orphan' OR (hold_until IS NULL AND NOT hold_forever)),
    CONSTRAINT extent_one_hold CHECK (hold_until IS NULL OR NOT hold_forever)
);
CREATE INDEX extent_by_medium ON extent (medium, state, id);
CREATE INDEX extent_by_object ON extent (object_id);
CREATE INDEX extent_by_oid ON extent USING hash (oid);
CREATE INDEX extent_pending ON extent (medium, id) WHERE state = 'pending';

CREATE TABLE layout (
    object_id uuid NOT NULL,
    copy_no smallint NOT NULL,
    index integer NOT NULL CHECK (index >= 0),
    extent uuid NOT NULL,
    extent_state extent_state NOT NULL DEFAULT 'sync' CONSTRAINT i1_layout_pins_sync CHECK (extent_state = 'sync'),
    PRIMARY KEY (object_id, copy_no, index),
    FOREIGN KEY (object_id, copy_no) REFERENCES copy,
    CONSTRAINT i1_layout_references_sync FOREIGN KEY (extent, extent_state) REFERENCES extent (id, state)
);
CREATE INDEX layout_by_extent ON layout (extent);

CREATE TABLE job_source (
    job bigint NOT NULL REFERENCES job,
    medium uuid NOT NULL REFERENCES medium,
    position integer NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (job, medium)
);
CREATE UNIQUE INDEX job_source_one_active ON job_source (medium) WHERE active;
CREATE INDEX job_source_by_medium ON job_source (medium, job);

-- The extents have no foreign key: the history of a move outlives the erased medium's rows.
CREATE TABLE job_move (
    new_extent uuid PRIMARY KEY,
    job bigint NOT NULL REFERENCES job,
    old_extent uuid NOT NULL,
    state move_state NOT NULL
);
CREATE INDEX job_move_by_job ON job_move (job, state, new_extent);
CREATE INDEX job_move_by_old ON job_move (old_extent);

CREATE TABLE job_skip (
    job bigint NOT NULL REFERENCES job,
    extent uuid NOT NULL,
    oid text COLLATE "C" NOT NULL,
    medium uuid NOT NULL,
    reason text NOT NULL,
    integrity boolean NOT NULL,
    PRIMARY KEY (job, extent)
);

CREATE TABLE event (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL,
    -- Its place in the chain, which is the order of sealing and not that of seq: commits overtake each other, so a row
    -- that becomes visible late is chained late.
    link bigint,
    prev_hash bytea CHECK (octet_length(prev_hash) = 32),
    this_hash bytea CHECK (octet_length(this_hash) = 32),
    CONSTRAINT event_link UNIQUE (link),
    CONSTRAINT event_sealed_whole CHECK (num_nonnulls(link, prev_hash, this_hash) IN (0, 3))
);
CREATE INDEX event_unsealed ON event (seq) WHERE link IS NULL;

-- Where bulk imports wait for the one transaction that takes them. It may lose everything in a crash: that transaction
-- counts the rows first.
CREATE UNLOGGED TABLE import_staging (
    batch uuid NOT NULL,
    position bigint NOT NULL,
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
    PRIMARY KEY (batch, position)
);

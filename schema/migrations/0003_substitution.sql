-- A move whose bytes come from another copy, because the source's own could not be had (E-12). The move says what became
-- of it; the row outlives both extents, so that a report says the same for ever.
CREATE TABLE job_substitution (
    new_extent uuid PRIMARY KEY REFERENCES job_move,
    job bigint NOT NULL REFERENCES job,
    old_extent uuid NOT NULL,
    oid text COLLATE "C" NOT NULL,
    medium uuid NOT NULL,
    read_from uuid NOT NULL,
    reason text NOT NULL,
    wrong_bytes boolean NOT NULL
);
CREATE INDEX job_substitution_by_job ON job_substitution (job, new_extent);

-- A mark that every transaction leaves which changes the catalogue: whoever lost the answer to a commit looks for it. A
-- transaction's number would not do: a server that was killed gives numbers that it never wrote down to others.
CREATE TABLE commit_mark (
    token uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX commit_mark_by_time ON commit_mark (at);

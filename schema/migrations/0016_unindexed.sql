-- What a job commits to the indexes of its targets when it ends is found without the rest that they hold.
CREATE INDEX extent_unindexed ON extent (medium, id) WHERE state = 'sync' AND NOT indexed;

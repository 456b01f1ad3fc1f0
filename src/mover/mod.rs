//! The data path for one allocation: read, verify, write, overlapped through a fixed ring of buffers.

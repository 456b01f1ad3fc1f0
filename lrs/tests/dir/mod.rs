mod conformance;
mod disasters;
mod faults;
mod format;
mod manifest;
mod misread;
mod support;

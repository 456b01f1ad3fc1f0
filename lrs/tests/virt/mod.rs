mod cartridges;
mod changer;
mod drills;
mod fixtures;
mod positions;
mod records;
mod reservations;
mod support;

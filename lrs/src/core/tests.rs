//! One rule per test, then anything in any order.

mod any_order;
mod bench;
mod rules;

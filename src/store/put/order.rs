//! Results in the order of their objects, whatever the order in which they become known.

use super::draft::Ticket;
use super::frame::{PutFailure, PutResult};
use dss::model::{ObjectDetail, Oid};
use std::collections::VecDeque;

/// Objects that were announced and not answered yet.
#[derive(Debug, Default)]
pub struct Order {
    first: Ticket,
    waiting: VecDeque<(Oid, Option<Outcome>)>,
}

type Outcome = Result<Box<ObjectDetail>, PutFailure>;

impl Order {
    /// The next object was announced.
    pub fn announce(&mut self, oid: Oid) -> Ticket {
        self.waiting.push_back((oid, None));
        self.first + self.waiting.len() as Ticket - 1
    }

    /// Its outcome is known.
    pub fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        let index = usize::try_from(ticket - self.first).expect("few objects wait at a time");
        let slot = &mut self.waiting[index].1;
        assert!(slot.is_none(), "an object has one outcome");
        *slot = Some(outcome);
    }

    /// Every result whose predecessors are all known.
    pub fn ready(&mut self) -> Vec<PutResult> {
        let known = self.waiting.iter().take_while(|(_, outcome)| outcome.is_some()).count();
        self.first += known as Ticket;
        self.waiting
            .drain(..known)
            .map(|(oid, outcome)| PutResult {
                oid,
                outcome: outcome.expect("counted because it is known"),
            })
            .collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Problem;

    #[test]
    fn results_come_in_the_order_of_their_objects() {
        let mut order = Order::default();
        let oids = ["a", "b", "c"].map(|name| Oid::new(name).unwrap());
        let tickets = oids.clone().map(|oid| order.announce(oid));
        let failed = || Err(PutFailure::last(Problem::refused("exists", "x", "x")));
        order.settle(tickets[1], failed());
        assert!(order.ready().is_empty());
        order.settle(tickets[0], failed());
        let ready: Vec<Oid> = order.ready().into_iter().map(|result| result.oid).collect();
        assert_eq!(ready, oids[..2]);
        order.settle(tickets[2], failed());
        assert_eq!((order.ready().len(), order.len()), (1, 0));
    }
}

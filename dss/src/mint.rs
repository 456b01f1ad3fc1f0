//! Where fresh ids come from in a simulation: a source of the thread's own, so that one seed gives one run. Without the
//! feature `simulation`, and on threads that have no source, ids are made as always.

use uuid::Uuid;

#[cfg(not(feature = "simulation"))]
pub(crate) const fn next() -> Option<Uuid> {
    None
}

#[cfg(feature = "simulation")]
pub(crate) use simulated::next;
#[cfg(feature = "simulation")]
pub use simulated::{Minting, from};

#[cfg(feature = "simulation")]
mod simulated {
    use super::Uuid;
    use std::cell::RefCell;
    use std::marker::PhantomData;

    type Source = Box<dyn FnMut() -> Uuid>;

    thread_local! {
        static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
    }

    /// Until it is dropped, every fresh id of this thread comes from the source it was made with.
    #[must_use]
    pub struct Minting {
        before: Option<Source>,
        /// A source is its thread's own.
        _here: PhantomData<*const ()>,
    }

    /// Has this thread take fresh ids from a source, which must never give one twice and must not ask for one itself.
    pub fn from(source: impl FnMut() -> Uuid + 'static) -> Minting {
        Minting {
            before: SOURCE.replace(Some(Box::new(source))),
            _here: PhantomData,
        }
    }

    impl Drop for Minting {
        fn drop(&mut self) {
            // A thread that ends drops its source by itself.
            let _ = SOURCE.try_with(|source| *source.borrow_mut() = self.before.take());
        }
    }

    pub(crate) fn next() -> Option<Uuid> {
        let made = SOURCE.try_with(|source| source.borrow_mut().as_mut().map(|source| source()));
        made.ok().flatten()
    }

    #[cfg(test)]
    mod tests {
        use crate::model::ObjectId;
        use uuid::Uuid;

        #[test]
        fn ids_come_from_the_threads_source_as_long_as_it_stands() {
            let mut count = 0;
            let minting = super::from(move || {
                count += 1;
                Uuid::from_u128(count)
            });
            assert_eq!(ObjectId::fresh().0.as_u128(), 1);
            assert_eq!(ObjectId::fresh().0.as_u128(), 2);
            let elsewhere = std::thread::spawn(|| ObjectId::fresh().0.get_version_num());
            assert_eq!(elsewhere.join().unwrap(), 7, "other threads make their own");
            drop(minting);
            assert_eq!(ObjectId::fresh().0.get_version_num(), 7);
        }
    }
}

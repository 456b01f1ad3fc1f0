//! Takes from a stream ahead of whoever reads it, within a bound: what is sent and what is done with it overlap.

use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// Reads `from` in a task of its own, at most items of `most` bytes ahead of the returned stream. An item that weighs
/// more than all that waits alone. The task ends with either stream.
pub fn read_ahead<T: Send + 'static>(
    from: impl Stream<Item = T> + Send + 'static,
    most: usize,
    weight: impl Fn(&T) -> usize + Send + 'static,
) -> impl Stream<Item = T> + Send {
    // Bounded by the room, not by the number of items.
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(most));
    let reading = tokio::spawn(async move {
        let mut from = std::pin::pin!(from);
        loop {
            let item = tokio::select! {
                item = from.next() => item,
                () = sender.closed() => return,
            };
            let Some(item) = item else { return };
            let bytes = weight(&item).clamp(1, most);
            let permits = u32::try_from(bytes).expect("a bound fits in 32 bits");
            let taken = tokio::select! {
                taken = Arc::clone(&room).acquire_many_owned(permits) => taken.expect("nobody closes it"),
                () = sender.closed() => return,
            };
            if sender.send((item, taken)).is_err() {
                return;
            }
        }
    });
    // A panic of the reading is no end of the stream.
    let end = futures_util::stream::once(reading).filter_map(|read| async {
        match read {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Ok(()) | Err(_) => None,
        }
    });
    // The room is free again as soon as the item is taken.
    UnboundedReceiverStream::new(receiver)
        .map(|(item, _taken)| item)
        .chain(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_stream_is_read_in_order_and_no_further_ahead_than_there_is_room() {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let numbers = futures_util::stream::iter(0..100).inspect(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let ahead = read_ahead(numbers, 10, |_| 1);
        let mut ahead = std::pin::pin!(ahead);
        settle().await;
        // Ten that have room, and the one that waits for it.
        assert_eq!(read.load(Ordering::Relaxed), 11);
        let mut got = vec![];
        while let Some(number) = ahead.next().await {
            got.push(number);
        }
        assert_eq!(got, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_item_larger_than_the_room_comes_through() {
        let ahead = read_ahead(futures_util::stream::iter([5, 500, 5]), 10, |bytes| *bytes);
        assert_eq!(ahead.collect::<Vec<_>>().await, [5, 500, 5]);
    }

    #[tokio::test]
    #[should_panic(expected = "third")]
    async fn a_reading_that_panics_is_no_end() {
        let numbers = futures_util::stream::iter(0..4).inspect(|number| assert_ne!(*number, 2, "the third"));
        let ahead = read_ahead(numbers, 10, |_| 1);
        assert_eq!(ahead.collect::<Vec<_>>().await, [0, 1]);
    }

    #[tokio::test]
    async fn a_reader_that_leaves_ends_the_reading() {
        let (sender, receiver) = mpsc::channel::<u8>(1);
        drop(read_ahead(
            tokio_stream::wrappers::ReceiverStream::new(receiver),
            10,
            |_| 1,
        ));
        sender.closed().await;
    }
}

//! A stream of puts: objects come one after the other, share targets, sync windows and transactions, and are answered in
//! order, each only when every copy is *sync*, committed and named by its medium's index.
//!
//! `draft` accepts an object, `targets` gets media for it, `gather` writes small ones together and `stream` large ones as
//! they come, `record` is the intent before the bytes, `window` the sync before the commit. Never keeps an object whose
//! bytes differ from what the client read.

mod closing;
mod draft;
mod frame;
mod gather;
mod lane;
mod order;
mod record;
mod sent;
mod serve;
mod stream;
mod targets;
mod trouble;
mod window;

pub use frame::{PutFailure, PutFrame, PutResult};
pub use serve::serve;

use crate::api::Problem;
use crate::api::requests::{PutHeader, StreamEnd};
use crate::host::Host;
use crate::mover::ring::Ring;
use crate::store::placement::Spread;
use bytes::{Bytes, BytesMut};
use draft::{Announced, Draft, Need, Ticket};
use dss::model::{ByteCount, CopyNo, Digests, ExtentId, Oid, Owner, SessionId, Versions};
use gather::{Gathered, Gathering};
use order::Order;
use sent::{agrees, changed, cut_short, given_up, out_of_order};
use std::sync::Arc;
use std::time::Duration;
use stream::{Halt, Streaming, Tools};
use targets::{Targets, Wish};
use tokio::time::Instant;
use window::{Closing, Limits, Outcome, Window};

/// How often an object looks for other targets before it gives up.
const TRIES: usize = 4;
/// Results that may wait for the first of them; then the window is closed.
const WAITING_MAX: usize = 4096;

/// What a client says of its whole stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct PutOptions {
    /// Whether an object may lie on several media.
    pub spread: Spread,
    /// How many bytes will come in all; zero when the client does not know.
    pub expected: ByteCount,
}

/// A stream of puts.
pub struct PutSession {
    host: Arc<Host>,
    id: SessionId,
    options: PutOptions,
    limits: Limits,
    targets: Option<Targets>,
    ring: Ring,
    order: Order,
    gathered: Gathering,
    window: Window,
    /// The one before it.
    closing: Option<Closing>,
    /// Since when an object waits for its window.
    oldest: Option<Instant>,
    current: Current,
    finished: bool,
}

/// The object under way.
enum Current {
    None,
    /// Its outcome is known; the rest of its bytes is let go.
    Skipping,
    Gathering {
        announced: Box<Announced>,
        bytes: BytesMut,
    },
    Streaming(Box<Streaming>),
}

impl Current {
    fn gathering(announced: Announced) -> Self {
        let bytes = usize::try_from(announced.header.bytes.0).expect("it is small");
        Self::Gathering {
            bytes: BytesMut::with_capacity(bytes),
            announced: Box::new(announced),
        }
    }
}

impl PutSession {
    /// Begins a stream. No medium is asked for before its first object.
    pub fn begin(host: &Arc<Host>, options: PutOptions) -> Self {
        let (memory, window) = (&host.config.memory, &host.config.repack);
        let size = |bytes: ByteCount| usize::try_from(bytes.0).expect("buffers fit in memory");
        Self {
            host: Arc::clone(host),
            id: SessionId::fresh(),
            options,
            limits: Limits {
                bytes: window.sync_bytes,
                extents: window.batch_extents,
                time: Duration::from_secs(window.sync_seconds),
            },
            targets: None,
            ring: Ring::new(size(memory.ring), size(memory.chunk)),
            order: Order::default(),
            gathered: Gathering::default(),
            window: Window::default(),
            closing: None,
            oldest: None,
            current: Current::None,
            finished: false,
        }
    }

    /// Takes the next step of the stream; answers every result that is due. An error ends the stream: it is not one of
    /// puts.
    pub async fn feed(&mut self, frame: PutFrame) -> Result<Vec<PutResult>, Problem> {
        match (frame, std::mem::replace(&mut self.current, Current::None)) {
            (PutFrame::Begin(header), Current::None) => self.begin_object(*header).await,
            (PutFrame::Begin(header), Current::Skipping | Current::Gathering { .. } | Current::Streaming(_)) => {
                return Err(out_of_order(&header.oid, "began before the one before it ended"));
            }
            (PutFrame::Data(_) | PutFrame::End(_) | PutFrame::GiveUp(_), Current::None) => {
                return Err(Problem::bug("put stream", "bytes or an end without an object"));
            }
            (PutFrame::Data(_), Current::Skipping) => self.current = Current::Skipping,
            (PutFrame::End(_) | PutFrame::GiveUp(_), Current::Skipping) => {}
            (PutFrame::Data(bytes), current) => self.take(current, bytes).await,
            (PutFrame::End(end), current) => self.end_object(current, end).await,
            (PutFrame::GiveUp(why), current) => self.drop_object(current, |oid| given_up(oid, &why)).await,
        }
        let late = self.deadline().is_some_and(|deadline| deadline <= Instant::now());
        if late || self.order.len() > WAITING_MAX {
            self.settle().await;
        } else if self.window.is_due(&self.limits) {
            self.begin_closing().await;
        }
        Ok(self.order.ready())
    }

    /// Waits until the window that is being closed has ended; without one for ever. May be given up and asked again.
    pub async fn closed(&mut self) {
        match &mut self.closing {
            Some(closing) => closing.wait().await,
            None => std::future::pending().await,
        }
    }

    /// Answers the results of the window that was closed.
    pub async fn results(&mut self) -> Vec<PutResult> {
        self.end_closing().await;
        self.order.ready()
    }

    /// Makes everything that ended durable; answers what became of it. Called when the stream pauses.
    pub async fn flush(&mut self) -> Vec<PutResult> {
        self.settle().await;
        self.yield_targets().await;
        self.order.ready()
    }

    /// When `flush` should be called at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.oldest.map(|since| since + self.limits.time)
    }

    /// Ends the stream; answers the results that were still due.
    pub async fn finish(mut self) -> Vec<PutResult> {
        let current = std::mem::replace(&mut self.current, Current::None);
        self.drop_object(current, cut_short).await;
        self.settle().await;
        self.release().await;
        self.finished = true;
        self.order.ready()
    }

    /// Gives the stream up: what was not acknowledged becomes orphans.
    pub async fn abandon(mut self) {
        self.finished = true;
        let current = std::mem::replace(&mut self.current, Current::None);
        clean_up(
            Arc::clone(&self.host),
            self.id,
            current,
            (self.closing.take(), self.targets.take()),
        )
        .await;
    }

    async fn begin_object(&mut self, header: PutHeader) {
        let oid = header.oid.clone();
        let ticket = self.order.announce(oid.clone());
        let waits = self.closing.as_ref().is_some_and(|closing| closing.holds(&oid));
        if waits || self.window.holds(&oid) || self.gathered.holds(&oid) {
            // The catalogue must know the version before it can tell the next one.
            self.settle().await;
        }
        match self.accept(header, ticket).await {
            Ok(current) => self.current = current,
            Err(problem) => {
                self.order.settle(ticket, Err(PutFailure::last(problem)));
                self.current = Current::Skipping;
            }
        }
    }

    async fn accept(&mut self, header: PutHeader, ticket: Ticket) -> Result<Current, Problem> {
        let copies = header.copies.unwrap_or(self.host.config.store.copies);
        if copies == 0 {
            return Err(
                Problem::refused("no_copies", header.oid.as_str(), "a put makes at least one copy")
                    .next("ask for 1 copy or more"),
            );
        }
        let most = self.host.config.store.extent_max_bytes;
        let announced = Announced::new(ticket, header, CopyNo(i16::from(copies)), most);
        let small = announced.sizes.len() == 1 && announced.header.bytes <= gather::SMALL;
        if small && self.follow(announced.need()).await? {
            return Ok(Current::gathering(announced));
        }
        // Before media are asked for: nobody should wait for them only to hear that the name is taken.
        let versions = self.versions(&announced.header.oid).await?;
        announced.admit(versions)?;
        self.aim(announced.need()).await?;
        if small {
            return Ok(Current::gathering(announced));
        }
        self.write_gathered().await;
        let draft = announced
            .named(versions, self.host.clock.now())
            .map_err(|(_, problem)| problem)?;
        self.open_stream(draft)
            .await
            .map(|streaming| Current::Streaming(Box::new(streaming)))
    }

    async fn versions(&self, oid: &Oid) -> Result<Versions, Problem> {
        let versions = self.host.catalogue.versions(std::slice::from_ref(oid)).await?;
        Ok(versions[0])
    }

    /// Begins to write a large object. Nothing of it was sent, so other targets can be tried.
    async fn open_stream(&mut self, draft: Draft) -> Result<Streaming, Problem> {
        let mut last: Option<Problem> = None;
        for _ in 0..TRIES {
            if self.targets.is_none() {
                self.aim(draft.need()).await?;
            }
            let mut streaming = Streaming::new(draft.clone());
            match streaming.open(&self.tools()).await {
                Ok(()) => return Ok(streaming),
                Err(halt) => {
                    let rows = streaming.abandon().await;
                    give_up(&self.host, Owner::Put(self.id), Some(&rows)).await;
                    last = Some(self.recover(halt).await?);
                }
            }
        }
        Err(last.expect("it was tried at least once"))
    }

    async fn take(&mut self, current: Current, bytes: Bytes) {
        let (missing, oid) = match &current {
            Current::Gathering { announced, bytes } => {
                let header = &announced.header;
                (header.bytes.0 - bytes.len() as u64, &header.oid)
            }
            Current::Streaming(streaming) => (streaming.missing(), &streaming.draft().object.oid),
            Current::None | Current::Skipping => unreachable!("told apart by the caller"),
        };
        if bytes.len() as u64 > missing {
            let problem = changed(oid, "more bytes came than were announced");
            self.drop_object(current, |_| problem).await;
            self.current = Current::Skipping;
            return;
        }
        self.current = match current {
            Current::Gathering {
                announced,
                bytes: mut held,
            } => {
                held.extend_from_slice(&bytes);
                Current::Gathering { announced, bytes: held }
            }
            Current::Streaming(mut streaming) => {
                let targets = self.targets.as_ref().expect("a stream has targets");
                let mut tools = Tools {
                    host: &self.host,
                    session: self.id,
                    targets,
                    ring: &mut self.ring,
                };
                match streaming.take(&bytes, &mut tools).await {
                    Ok(()) => Current::Streaming(streaming),
                    Err(halt) => {
                        self.halt_stream(*streaming, halt).await;
                        Current::Skipping
                    }
                }
            }
            Current::None | Current::Skipping => unreachable!("told apart above"),
        };
    }

    async fn end_object(&mut self, current: Current, end: StreamEnd) {
        self.oldest.get_or_insert_with(Instant::now);
        match current {
            Current::Gathering { announced, bytes } => {
                let digests = Digests::of(&bytes);
                let (ticket, header) = (announced.ticket, &announced.header);
                if let Err(problem) = agrees(&header.oid, header.bytes, (digests.bytes, digests.blake3), end) {
                    return self.order.settle(ticket, Err(PutFailure::last(problem)));
                }
                self.gathered.push(Gathered {
                    announced: *announced,
                    bytes: bytes.freeze(),
                    digests,
                });
                if self.gathered.is_due(self.window.room(&self.limits)) {
                    self.write_gathered().await;
                }
            }
            Current::Streaming(mut streaming) => {
                let object = &streaming.draft().object;
                let received = ByteCount(object.bytes.0 - streaming.missing());
                if let Err(problem) = agrees(&object.oid, object.bytes, (received, streaming.blake3()), end) {
                    return self.drop_object(Current::Streaming(streaming), |_| problem).await;
                }
                match streaming.land().await {
                    Ok(landed) => self.window.push(landed),
                    Err(halt) => self.halt_stream(*streaming, halt).await,
                }
            }
            Current::None | Current::Skipping => unreachable!("told apart by the caller"),
        }
    }

    /// Gives the object under way up, for a reason of the client's.
    async fn drop_object(&mut self, current: Current, why: impl FnOnce(&Oid) -> Problem) {
        let (ticket, problem) = match current {
            Current::None | Current::Skipping => return,
            Current::Gathering { announced, .. } => (announced.ticket, why(&announced.header.oid)),
            Current::Streaming(streaming) => {
                let told = (streaming.draft().ticket, why(&streaming.draft().object.oid));
                let rows = streaming.abandon().await;
                give_up(&self.host, Owner::Put(self.id), Some(&rows)).await;
                told
            }
        };
        self.order.settle(ticket, Err(PutFailure::last(problem)));
    }

    /// Gives the object under way up because a target or the catalogue failed. Its bytes went by: only the client can
    /// send them again.
    async fn halt_stream(&mut self, streaming: Streaming, halt: Halt) {
        let ticket = streaming.draft().ticket;
        let rows = streaming.abandon().await;
        give_up(&self.host, Owner::Put(self.id), Some(&rows)).await;
        let failure = match self.recover(halt).await {
            Ok(problem) => PutFailure::again(problem),
            Err(problem) => PutFailure::last(problem),
        };
        self.order.settle(ticket, Err(failure));
    }

    /// Whether an object can follow on the targets there are; then its bytes are counted against them.
    async fn follow(&mut self, need: Need<'_>) -> Result<bool, Problem> {
        let Some(targets) = &mut self.targets else {
            return Ok(false);
        };
        if !targets.suit(&self.host, need).await? || targets.should_yield() {
            return Ok(false);
        }
        targets.take(need);
        Ok(true)
    }

    /// Has targets that suit an object.
    async fn aim(&mut self, need: Need<'_>) -> Result<(), Problem> {
        if self.follow(need).await? {
            return Ok(());
        }
        self.settle().await;
        self.release().await;
        let wish = Wish {
            spread: self.options.spread,
            // Without a word from the client, about one window: small objects should not ask for each other's room.
            ahead: match self.options.expected {
                ByteCount::ZERO => self.limits.bytes,
                expected => expected,
            },
        };
        let mut targets = Targets::allocate(&self.host, need, wish).await?;
        targets.take(need);
        self.targets = Some(targets);
        Ok(())
    }

    fn tools(&mut self) -> Tools<'_> {
        Tools {
            host: &self.host,
            session: self.id,
            targets: self.targets.as_ref().expect("asked for only while there are targets"),
            ring: &mut self.ring,
        }
    }
}

impl Drop for PutSession {
    /// A request that was dropped with its client cleans up behind itself.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let current = std::mem::replace(&mut self.current, Current::None);
        let work = clean_up(
            Arc::clone(&self.host),
            self.id,
            current,
            (self.closing.take(), self.targets.take()),
        );
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(work);
        }
        // Without a runtime respoold is ending; the epoch dies with it and the rows are swept.
    }
}

async fn clean_up(
    host: Arc<Host>,
    session: SessionId,
    current: Current,
    (closing, targets): (Option<Closing>, Option<Targets>),
) {
    if let Some(closing) = closing {
        // What it made visible stays so; nobody waits for the answer any more. What failed is told all the same.
        let failed = closing.end().await.failed;
        if let (Some((number, trouble)), Some(targets)) = (failed, &targets) {
            trouble.note(&host, &targets.list[number]).await;
            targets.distrust(number);
        }
    }
    if let Current::Streaming(streaming) = current {
        streaming.abandon().await;
    }
    give_up(&host, Owner::Put(session), None).await;
    if let Some(targets) = targets {
        targets.release().await;
    }
}

/// Turns pending rows into orphans. That it fails changes nothing for the client: the rows are swept when their epoch
/// is dead.
pub(in crate::store) async fn give_up(host: &Host, owner: Owner, only: Option<&[ExtentId]>) {
    if let Err(error) = host.catalogue.abandon(owner, only, host.clock.now()).await {
        tracing::warn!(%error, "pending extents of a failed put wait for the next sweep");
    }
}

//! The grant of a get, and the extent that is open under it. Holds a medium only while bytes move: a client that stalls
//! loses the grant, and gets it again when it goes on.

use crate::api::Problem;
use crate::host::Host;
use bytes::Bytes;
use dss::catalogue::CatalogueError;
use dss::model::{CHUNK_BYTES, Extent, ExtentId, MediumId, Oid};
use lrs::core::{Priority, Request};
use lrs::ldm::fs::{ReadFrom, ReadHandle, Volume, Wanted};
use lrs::ldm::{MediaError, MediaResult, Op};
use lrs::service::Allocation;
use lrs::worker::DriveHandle;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A grant without progress for so long goes back.
pub const STALL: Duration = Duration::from_secs(60);

/// Why a chunk could not be had from one extent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// It was read and is not what was stored.
    #[error("{0}")]
    Corrupt(String),
    /// The medium failed to read it.
    #[error("{0}")]
    Unreadable(MediaError),
    /// Its row is gone: it lies elsewhere by now.
    #[error("moved while the get waited")]
    Moved,
    /// The medium cannot be used.
    #[error("{}", .0.message)]
    Unavailable(Problem),
}

impl Fault {
    /// Whether stored bytes are wrong or missing.
    pub fn is_integrity(&self) -> bool {
        match self {
            Self::Corrupt(_) => true,
            Self::Unreadable(error) => error.is_integrity(),
            Self::Moved | Self::Unavailable(_) => false,
        }
    }
}

/// An open extent under a grant.
pub struct Reader {
    allocation: Allocation,
    drive: DriveHandle,
    medium: MediumId,
    open: Option<(ExtentId, ReadHandle)>,
}

struct Held {
    reader: Option<Reader>,
    touched: Instant,
}

/// Where a get sits: at most one medium at a time.
pub struct Seat {
    host: Arc<Host>,
    purpose: String,
    held: Arc<Mutex<Held>>,
    watch: tokio::task::JoinHandle<()>,
}

impl Seat {
    /// Nothing is held yet.
    pub fn new(host: &Arc<Host>, oid: &Oid) -> Self {
        let held = Arc::new(Mutex::new(Held {
            reader: None,
            touched: Instant::now(),
        }));
        Self {
            host: Arc::clone(host),
            purpose: format!("get of {oid}"),
            watch: tokio::spawn(watch(Arc::downgrade(&held))),
            held,
        }
    }

    /// Reads one chunk of an extent, taking its medium first if another or none is held.
    pub async fn read(&mut self, extent: &Extent, chunk: usize, bytes: usize) -> Result<Bytes, Fault> {
        let mut held = self.held.lock().await;
        held.touched = Instant::now();
        if held.reader.as_ref().is_none_or(|reader| reader.medium != extent.medium) {
            if let Some(reader) = held.reader.take() {
                reader.release().await;
            }
            held.reader = Some(self.acquire(extent).await?);
        }
        let reader = held.reader.as_mut().expect("just taken");
        let read = reader.read(&self.host, extent, chunk, bytes).await;
        held.touched = Instant::now();
        read
    }

    /// After a fault: the extent is closed, the medium kept no longer.
    pub async fn forget(&mut self) {
        self.leave().await;
    }

    /// Between extents, gives way to somebody more urgent.
    pub async fn give_way(&self) {
        let mut held = self.held.lock().await;
        if held
            .reader
            .as_ref()
            .is_some_and(|reader| reader.allocation.should_yield())
            && let Some(reader) = held.reader.take()
        {
            reader.release().await;
        }
    }

    /// Gives everything back.
    pub async fn leave(&self) {
        if let Some(reader) = self.held.lock().await.reader.take() {
            reader.release().await;
        }
    }

    async fn acquire(&self, extent: &Extent) -> Result<Reader, Fault> {
        let request = Request {
            purpose: self.purpose.clone(),
            priority: Priority::Get,
            reads: vec![extent.medium],
            writes: Vec::new(),
            exclusive: Vec::new(),
        };
        let granted = self.host.lrs.allocate(request).await;
        let allocation = granted.map_err(|error| Fault::Unavailable(error.into()))?;
        Ok(Reader {
            drive: allocation.volume(extent.medium),
            medium: extent.medium,
            allocation,
            open: None,
        })
    }
}

impl Drop for Seat {
    /// A get that was dropped with its client gives its medium back.
    fn drop(&mut self) {
        self.watch.abort();
        let held = Arc::clone(&self.held);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(reader) = held.lock().await.reader.take() {
                    reader.release().await;
                }
            });
        }
    }
}

/// Gives back what a stalled get holds. Ends with the get.
async fn watch(held: std::sync::Weak<Mutex<Held>>) {
    loop {
        tokio::time::sleep(STALL / 4).await;
        let Some(held) = held.upgrade() else { return };
        let mut held = held.lock().await;
        if held.touched.elapsed() >= STALL
            && let Some(reader) = held.reader.take()
        {
            reader.release().await;
        }
    }
}

impl Reader {
    async fn read(&mut self, host: &Host, extent: &Extent, chunk: usize, bytes: usize) -> Result<Bytes, Fault> {
        let handle = match self.open {
            Some((open, handle)) if open == extent.id => handle,
            Some(_) | None => self.open(host, extent).await?,
        };
        let (offset, size) = (chunk as u64 * CHUNK_BYTES, extent.bytes.0);
        let answer = self
            .drive
            .run(move |volume| fill(volume, handle, offset, bytes, size))
            .await;
        match answer {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(Fault::Unreadable(error)),
            Err(gone) => Err(Fault::Unavailable(crate::store::of_drive(&gone, extent.medium))),
        }
    }

    /// Opens an extent, if it still exists. Bytes go only under an exclusive grant, so that what exists now stays
    /// readable as long as this grant is held (I8).
    async fn open(&mut self, host: &Host, extent: &Extent) -> Result<ReadHandle, Fault> {
        self.close().await;
        match host.catalogue.extent(extent.id).await {
            Ok(now) if now.medium == extent.medium && now.address == extent.address => {}
            Ok(_) | Err(CatalogueError::NotFound { .. }) => return Err(Fault::Moved),
            Err(error) => return Err(Fault::Unavailable(error.into())),
        }
        let wanted = Wanted::of(extent);
        let answer = self
            .drive
            .run(move |volume| volume.open(&wanted, ReadFrom::Anywhere))
            .await;
        let handle = match answer {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => return Err(Fault::Unreadable(error)),
            Err(gone) => return Err(Fault::Unavailable(crate::store::of_drive(&gone, extent.medium))),
        };
        self.open = Some((extent.id, handle));
        Ok(handle)
    }

    async fn close(&mut self) {
        if let Some((_, handle)) = self.open.take() {
            // A drive that is gone has nothing left to close.
            let _ = self.drive.run(move |volume| volume.close(handle)).await;
        }
    }

    async fn release(mut self) {
        self.close().await;
        self.allocation.release().await;
    }
}

/// Reads exactly so many bytes from there. Fewer are an error, never the end.
fn fill(volume: &mut dyn Volume, handle: ReadHandle, offset: u64, bytes: usize, size: u64) -> MediaResult<Bytes> {
    volume.seek(handle, offset)?;
    let mut buffer = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match volume.read(handle, &mut buffer[filled..])? {
            0 => {
                return Err(MediaError {
                    op: Op::Read,
                    medium: volume.label().name.clone(),
                    at: None,
                    fault: lrs::ldm::Fault::Short {
                        expected: size,
                        got: offset + filled as u64,
                    },
                });
            }
            more => filled += more,
        }
    }
    Ok(buffer.into())
}

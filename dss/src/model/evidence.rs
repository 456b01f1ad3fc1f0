//! What is proven about an extent on its way to *sync*: `Recorded -> Verified -> Written -> Synced`.
//!
//! Each step takes the one before and a receipt. A receipt can be made only where the thing it attests happens;
//! `tests/architecture.rs` lists the permitted callers of every constructor here. The catalogue's `swap_batch` and
//! `commit_put` accept only [`Synced`], so bytes that were never recorded, checked, written or made durable cannot be
//! referenced.

use super::known::all_among;
use super::{Digests, Epoch, Extent, ExtentId, Generation, KnownHash, MediumId, NewExtent, Owner, Span};

/// Attests that a *pending* row was committed. Made by catalogues.
#[derive(Debug)]
pub struct RecordReceipt(());

impl RecordReceipt {
    /// For catalogues, after the transaction that inserted the row committed.
    pub fn after_commit() -> Self {
        Self(())
    }
}

/// Attests what the bytes read digest to: for a put whatever came, else what agrees with all that was known of them. Made
/// by the verifier.
#[derive(Clone, Debug)]
pub struct DigestReceipt {
    digests: Digests,
    hashes: Vec<KnownHash>,
}

impl DigestReceipt {
    /// For the verifier, from digests computed in stream over the bytes that go to the writer.
    pub fn of_stream(digests: Digests) -> Self {
        Self {
            digests,
            hashes: Vec::new(),
        }
    }

    /// The same with digests of other kinds, made of the same bytes: those that other software had left of them.
    pub fn with_hashes(self, hashes: Vec<KnownHash>) -> Self {
        Self { hashes, ..self }
    }

    /// What the bytes digest to.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
}

/// Attests that a medium took every byte. Made by file systems of media.
#[derive(Clone, Debug)]
pub struct WriteReceipt {
    extent: ExtentId,
    digests: Digests,
    inode: Option<u64>,
    span: Option<Span>,
    serial: WriteSerial,
}

impl WriteReceipt {
    /// For file systems of media, when the last byte was accepted.
    pub fn accepted(extent: ExtentId, digests: Digests, inode: Option<u64>, serial: WriteSerial) -> Self {
        Self {
            extent,
            digests,
            inode,
            span: None,
            serial,
        }
    }

    /// The same for bytes that a tape took, which lie there.
    pub fn at(self, span: Span) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }

    /// Its place in the order of writes since the medium was mounted.
    pub fn serial(&self) -> WriteSerial {
        self.serial
    }
}

/// The order of writes to one mounted medium. A different mount never repeats one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteSerial {
    /// Which mount.
    pub mount: u64,
    /// Which write of it.
    pub count: u64,
}

/// Attests that everything written up to a serial is durable. Made by file systems of media.
#[derive(Clone, Copy, Debug)]
pub struct SyncReceipt {
    medium: MediumId,
    generation: Generation,
    through: WriteSerial,
}

impl SyncReceipt {
    /// For file systems of media, when the device confirmed every write up to and with `through`.
    pub fn durable(medium: MediumId, generation: Generation, through: WriteSerial) -> Self {
        Self {
            medium,
            generation,
            through,
        }
    }
}

/// An extent whose *pending* row is committed. Its bytes may be written now.
#[derive(Debug)]
pub struct Recorded {
    extent: NewExtent,
    owner: Owner,
    epoch: Epoch,
    hashes: Vec<KnownHash>,
}

impl Recorded {
    /// The catalogue's answer to recording an extent.
    pub fn committed(extent: NewExtent, owner: Owner, epoch: Epoch, _receipt: RecordReceipt) -> Self {
        Self {
            extent,
            owner,
            epoch,
            hashes: Vec::new(),
        }
    }

    /// The same for bytes of which the catalogue knows only what other software said of them: whoever reads them must find
    /// that.
    pub fn knowing(self, hashes: Vec<KnownHash>) -> Self {
        Self { hashes, ..self }
    }

    /// What other software said of the bytes, where nothing else is known.
    pub fn hashes(&self) -> &[KnownHash] {
        &self.hashes
    }

    /// What was recorded.
    pub fn extent(&self) -> &NewExtent {
        &self.extent
    }
}

/// An extent whose bytes were read whole and are the right ones.
#[derive(Debug)]
pub struct Verified {
    recorded: Recorded,
    digests: Digests,
}

/// Bytes and evidence do not belong together. Nothing may be built on such a pair.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EvidenceError {
    /// The bytes are not those that the catalogue names.
    #[error("extent {extent}: the bytes do not digest to what the catalogue says")]
    Mismatch {
        /// Of which extent.
        extent: ExtentId,
    },
    /// The receipt is for something else.
    #[error("extent {extent}: the receipt is for other bytes, another medium or an earlier mount")]
    ForeignReceipt {
        /// Of which extent.
        extent: ExtentId,
    },
    /// A tape took more bytes for it than it has.
    #[error("extent {extent}: the place named for it on the tape has more bytes than the extent")]
    Overlong {
        /// Of which extent.
        extent: ExtentId,
    },
}

impl Verified {
    /// Accepts bytes that agree with what was recorded.
    pub fn checked(recorded: Recorded, receipt: DigestReceipt) -> Result<Self, EvidenceError> {
        let expected = recorded.extent.digests.as_ref();
        let found = receipt.digests;
        let agrees = recorded.extent.bytes == found.bytes
            && expected.is_none_or(|known| *known == found)
            && all_among(&recorded.hashes, &receipt.hashes);
        if !agrees {
            return Err(EvidenceError::Mismatch {
                extent: recorded.extent.id,
            });
        }
        Ok(Self {
            recorded,
            digests: found,
        })
    }
}

/// An extent whose verified bytes a medium has taken; they may still be lost with its power.
#[derive(Debug)]
pub struct Written {
    verified: Verified,
    inode: Option<u64>,
    span: Option<Span>,
    serial: WriteSerial,
}

impl Written {
    /// Accepts a receipt for this extent and these bytes.
    pub fn accepted(verified: Verified, receipt: WriteReceipt) -> Result<Self, EvidenceError> {
        let extent = verified.recorded.extent.id;
        if receipt.extent != extent || receipt.digests != verified.digests {
            return Err(EvidenceError::ForeignReceipt { extent });
        }
        let bytes = verified.recorded.extent.bytes;
        if receipt.span.as_ref().is_some_and(|span| !span.fits(bytes)) {
            return Err(EvidenceError::Overlong { extent });
        }
        Ok(Self {
            verified,
            inode: receipt.inode,
            span: receipt.span,
            serial: receipt.serial,
        })
    }

    /// Its place in the order of writes.
    pub fn serial(&self) -> WriteSerial {
        self.serial
    }

    /// What was recorded for it.
    pub fn extent(&self) -> &NewExtent {
        &self.verified.recorded.extent
    }
}

/// An extent whose verified bytes are durable. Layouts may point to it.
#[derive(Debug)]
pub struct Synced {
    extent: NewExtent,
    owner: Owner,
    epoch: Epoch,
    digests: Digests,
    inode: Option<u64>,
    span: Option<Span>,
}

impl Synced {
    /// Accepts a receipt for the medium, generation and mount of this write, given after it.
    pub fn durable(written: Written, receipt: &SyncReceipt) -> Result<Self, EvidenceError> {
        let recorded = written.verified.recorded;
        let covered = receipt.medium == recorded.extent.medium
            && receipt.generation == recorded.extent.generation
            && receipt.through.mount == written.serial.mount
            && written.serial <= receipt.through;
        if !covered {
            return Err(EvidenceError::ForeignReceipt {
                extent: recorded.extent.id,
            });
        }
        Ok(Self {
            extent: recorded.extent,
            owner: recorded.owner,
            epoch: recorded.epoch,
            digests: written.verified.digests,
            inode: written.inode,
            span: written.span,
        })
    }

    /// What was recorded.
    pub fn extent(&self) -> &NewExtent {
        &self.extent
    }
    /// Who owns it.
    pub fn owner(&self) -> Owner {
        self.owner
    }
    /// Under which epoch of the target's lease.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// What its bytes digest to.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
    /// The durable file's inode, where there is one.
    pub fn inode(&self) -> Option<u64> {
        self.inode
    }
    /// Where its bytes lie on a tape, where they do.
    pub fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }
}

/// An extent whose bytes were just read whole from its medium and are what the catalogue says. Needed to put a layout
/// back on old bytes, and to count a read-back.
#[derive(Debug)]
pub struct ReadBack(ExtentId);

impl ReadBack {
    /// Accepts digests of bytes read from the medium, not from a cache.
    pub fn checked(extent: &Extent, receipt: &DigestReceipt) -> Result<Self, EvidenceError> {
        match &extent.digests {
            Some(known) if *known == receipt.digests => Ok(Self(extent.id)),
            _ => Err(EvidenceError::Mismatch { extent: extent.id }),
        }
    }

    /// Which extent.
    pub fn extent(&self) -> ExtentId {
        self.0
    }
}

/// What an imported extent digests to, now that its bytes were read whole for the first time and agree with all that other
/// software had said of them.
#[derive(Debug)]
pub struct Digested {
    extent: ExtentId,
    digests: Digests,
}

impl Digested {
    /// Accepts digests of bytes read from the medium. `known` is what other software said of them.
    pub fn checked(extent: &Extent, known: &[KnownHash], receipt: DigestReceipt) -> Result<Self, EvidenceError> {
        let found = receipt.digests;
        let agrees = extent.bytes == found.bytes
            && extent.digests.as_ref().is_none_or(|digests| *digests == found)
            && all_among(known, &receipt.hashes);
        match agrees {
            true => Ok(Self {
                extent: extent.id,
                digests: found,
            }),
            false => Err(EvidenceError::Mismatch { extent: extent.id }),
        }
    }

    /// Which extent.
    pub fn extent(&self) -> ExtentId {
        self.extent
    }

    /// What its bytes digest to.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Address, ByteCount, CopyNo, ExtentIndex, ExtentState, HashAlgorithm, Hold, ObjectId, Oid, Origin, SessionId,
        Version,
    };

    const SERIAL: WriteSerial = WriteSerial { mount: 2, count: 5 };

    /// A pending row for these bytes; as for a move, what they digest to is known.
    fn recorded(bytes: &[u8]) -> Recorded {
        let extent = NewExtent {
            id: ExtentId::fresh(),
            origin: Origin {
                object: ObjectId::fresh(),
                oid: Oid::new("a").expect("a good name"),
                version: Version(1),
                copy: CopyNo(0),
                index: ExtentIndex(0),
            },
            medium: MediumId::fresh(),
            generation: Generation(3),
            address: Address("objects/a".into()),
            bytes: Digests::of(bytes).bytes,
            digests: Some(Digests::of(bytes)),
        };
        let owner = Owner::Put(SessionId::fresh());
        Recorded::committed(extent, owner, Epoch(1), RecordReceipt::after_commit())
    }

    fn written() -> Written {
        let (recorded, digests) = (recorded(b"abc"), Digests::of(b"abc"));
        let receipt = WriteReceipt::accepted(recorded.extent().id, digests.clone(), None, SERIAL);
        let verified = Verified::checked(recorded, DigestReceipt::of_stream(digests)).expect("the same bytes");
        Written::accepted(verified, receipt).expect("the same extent")
    }

    /// Whether a receipt covers a write that was the fifth of the second mount, at generation 3.
    fn covers(change: impl FnOnce(&mut SyncReceipt)) -> bool {
        let written = written();
        let mut receipt = SyncReceipt::durable(written.extent().medium, Generation(3), SERIAL);
        change(&mut receipt);
        Synced::durable(written, &receipt).is_ok()
    }

    #[test]
    fn a_sync_covers_the_writes_before_it() {
        assert!(covers(|_| ()));
        assert!(covers(|receipt| receipt.through.count = 6));
    }

    #[test]
    fn a_sync_covers_nothing_that_was_written_after_it() {
        assert!(!covers(|receipt| receipt.through.count = 4));
    }

    #[test]
    fn a_sync_covers_nothing_of_another_mount_medium_or_generation() {
        assert!(!covers(|receipt| receipt.through.mount = 1));
        assert!(!covers(|receipt| receipt.through.mount = 3));
        assert!(!covers(|receipt| receipt.medium = MediumId::fresh()));
        assert!(!covers(|receipt| receipt.generation = Generation(4)));
    }

    #[test]
    fn x07_other_bytes_than_were_recorded_are_never_verified() {
        for bytes in [b"abd".as_slice(), b"ab", b"abcd", b""] {
            let found = DigestReceipt::of_stream(Digests::of(bytes));
            assert!(Verified::checked(recorded(b"abc"), found).is_err());
        }
    }

    fn sha1(value: &str) -> KnownHash {
        KnownHash {
            algorithm: HashAlgorithm::Sha1,
            value: value.to_owned(),
        }
    }

    /// Of what other software wrote, its own digests are all that can be compared, and are.
    #[test]
    fn x07_what_other_software_said_of_the_bytes_must_be_found() {
        let verified = |found: Vec<KnownHash>| {
            let Recorded {
                extent, owner, epoch, ..
            } = recorded(b"abc");
            let extent = NewExtent {
                digests: None,
                ..extent
            };
            let recorded = Recorded::committed(extent, owner, epoch, RecordReceipt::after_commit());
            let receipt = DigestReceipt::of_stream(Digests::of(b"abc")).with_hashes(found);
            Verified::checked(recorded.knowing(vec![sha1("aa")]), receipt)
        };
        assert!(verified(vec![sha1("aa")]).is_ok());
        assert!(verified(vec![sha1("ab")]).is_err());
        assert!(verified(vec![]).is_err(), "nobody compared it");
    }

    #[test]
    fn x07_an_imported_extent_digests_only_to_what_agrees_with_all_that_is_known() {
        let new = recorded(b"abc").extent;
        let imported = |bytes: u64, digests| Extent {
            id: new.id,
            origin: new.origin.clone(),
            medium: new.medium,
            generation: new.generation,
            address: new.address.clone(),
            bytes: ByteCount(bytes),
            digests,
            state: ExtentState::Sync,
            owner: None,
            inode: None,
            span: None,
            hold: Hold::None,
            verified_at: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let receipt = || DigestReceipt::of_stream(Digests::of(b"abc")).with_hashes(vec![sha1("aa")]);
        let digested = Digested::checked(&imported(3, None), &[sha1("aa")], receipt()).expect("all agrees");
        assert_eq!((digested.extent(), digested.digests()), (new.id, &Digests::of(b"abc")));
        assert!(Digested::checked(&imported(3, None), &[sha1("ab")], receipt()).is_err());
        assert!(Digested::checked(&imported(4, None), &[], receipt()).is_err());
        let other = Some(Digests::of(b"abd"));
        assert!(Digested::checked(&imported(3, other), &[], receipt()).is_err());
    }

    #[test]
    fn a_medium_that_took_other_bytes_or_another_extent_has_not_written_this_one() {
        let digests = Digests::of(b"abc");
        let verified = || {
            Verified::checked(recorded(b"abc"), DigestReceipt::of_stream(Digests::of(b"abc"))).expect("the same bytes")
        };
        let one = verified();
        let (id, stranger) = (one.recorded.extent.id, ExtentId::fresh());
        let other = WriteReceipt::accepted(id, Digests::of(b"abd"), None, SERIAL);
        assert!(Written::accepted(one, other).is_err());
        let other = WriteReceipt::accepted(stranger, digests, None, SERIAL);
        assert!(Written::accepted(verified(), other).is_err());
    }

    #[test]
    fn i3_a_place_that_has_more_bytes_than_the_extent_is_no_place_of_it() {
        let written = |span: &str| {
            let (recorded, digests) = (recorded(b"abc"), Digests::of(b"abc"));
            let receipt = WriteReceipt::accepted(recorded.extent().id, digests.clone(), None, SERIAL);
            let receipt = receipt.at(span.parse().expect("a span"));
            let verified = Verified::checked(recorded, DigestReceipt::of_stream(digests)).expect("the same bytes");
            Written::accepted(verified, receipt)
        };
        assert!(written("1:5+0*1=3").is_ok());
        assert!(written("1:5+0*1=2").is_ok(), "a hole");
        assert!(matches!(written("1:5+0*1=4"), Err(EvidenceError::Overlong { .. })));
    }
}

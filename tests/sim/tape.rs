//! Tapes of a simulation, below the life that uses them: how they become media, and what lies on them whatever respoold
//! thinks, as another host finds it after the power of all drives was cut.

use crate::robot::{Hears, LIBRARY, Nobody, Robot};
use dss::catalogue::{MediumChange, NewLibrary, NewMedium};
use dss::model::{
    AdmState, Blake3, Extent, ExtentId, ExtentState, Family, FsState, Generation, LibraryKind, Location, Medium,
    MediumId, Presence, Revision,
};
use jiff::Timestamp;
use lrs::core::{DriveId, Priority, Request};
use lrs::ldm::drive::Position;
use lrs::ldm::fs::ltfs::finding::Finding;
use lrs::ldm::fs::ltfs::medium::{Erasing, Expected, FORMAT, Shape};
use lrs::ldm::fs::{IndexStamp, Label, ReadFrom, Volume, Wanted};
use lrs::ldm::library::Library;
use lrs::service::{Guest, Known};
use respool::api::Problem;
use respool::daemon::libraries::Libraries;
use respool::host::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a tape holds, so that a simulation never fills it unless it wants to.
pub const ROOMY: u64 = 64 << 20;

/// Records are short: an extent is several of them, and a run has more commands to stop before.
const BLOCK: u32 = 4096;

const BAY: &str = "drv0";

/// The barcode of a medium by its name of one or two letters.
pub fn barcode(name: &str) -> String {
    format!("{:0>6}L8", name.to_uppercase())
}

/// The library, as the catalogue is told of it.
pub fn library_row() -> NewLibrary {
    NewLibrary {
        name: LIBRARY.to_owned(),
        kind: LibraryKind::Virtual,
        place: "/in/memory".to_owned(),
    }
}

/// Opens the library that the catalogue knows, as respoold does when it starts.
pub async fn open(host: &Host, libraries: &Libraries, robot: &Robot, hears: &Arc<dyn Hears>) -> Result<(), Problem> {
    let known = host.catalogue.library(LIBRARY).await?;
    let library = Arc::new(robot.open(hears)?);
    libraries.announce(host.catalogue.as_ref(), &host.lrs, &library).await?;
    // Last, so that a start that was cut short is known as one.
    libraries.adopt(&known, &library);
    Ok(())
}

/// A blank cartridge of so many bytes becomes a medium, as `tape add` makes it one.
pub async fn add(
    host: &Host,
    library: &Arc<Library>,
    robot: &Robot,
    (name, capacity): (&str, u64),
) -> Result<(), Problem> {
    robot.add(&barcode(name), capacity);
    library.inventory()?;
    let (id, now) = (MediumId::fresh(), host.clock.now());
    let medium = host.catalogue.add_medium(row(id, name), now).await?;
    let guest = Guest {
        row: medium,
        known: Known::Medium,
    };
    let allocation = host.lrs.visit(guest, format!("adding tape {name}")).await?;
    let DriveId::Bay { bay, .. } = allocation.drive(id).clone() else {
        panic!("a tape was put into a drive of no library");
    };
    let (label, shape) = (label(host, (id, name)), shape(name));
    let of_it = Arc::clone(library);
    let formatting = allocation.volume(id);
    let formatted = formatting.run(move |_| of_it.format(&bay, &shape.barcode, &label, &shape));
    formatted.await??;
    allocation.release().await;
    let labelled = MediumChange {
        fs_state: Some(FsState::Empty),
        presence: Some(Presence::Near),
        why: "labelled".to_owned(),
        ..MediumChange::default()
    };
    host.catalogue.change_medium(id, labelled, now).await?;
    host.lrs.medium_changed(id).await?;
    let request = Request {
        purpose: "measuring a new tape".to_owned(),
        priority: Priority::Put,
        reads: vec![id],
        writes: vec![],
        exclusive: vec![],
    };
    let allocation = host.lrs.allocate(request).await?;
    let space = allocation.volume(id).run(|volume| volume.space()).await;
    allocation.release().await;
    let measured = MediumChange {
        capacity: Some(Some(space??.capacity)),
        why: "it told its capacity".to_owned(),
        ..MediumChange::default()
    };
    host.catalogue.change_medium(id, measured, now).await?;
    Ok(host.lrs.medium_changed(id).await?)
}

/// Whether a tape has the bytes of an extent for sure, where the catalogue says that they lie.
pub fn has(robot: &Robot, medium: &str, extent: &Extent) -> bool {
    let (Some(span), Some(digests)) = (&extent.span, &extent.digests) else {
        return false;
    };
    let code = barcode(medium);
    let mut hasher = blake3::Hasher::new();
    for stretch in &span.0 {
        let mut bytes = Vec::new();
        for block in stretch.start_block..stretch.start_block + stretch.blocks {
            let at = Position::at(stretch.partition, block);
            let Some(record) = robot.model().durable_record(&code, at) else {
                return false;
            };
            bytes.extend(record);
        }
        let (from, count) = (stretch.byte_offset as usize, stretch.bytes as usize);
        let Some(bytes) = bytes.get(from..from + count) else {
            return false;
        };
        hasher.update(bytes);
    }
    hasher.count() == digests.bytes.0 && Blake3(*hasher.finalize().as_bytes()) == digests.blake3
}

/// A tape as it is told to the catalogue.
fn row(id: MediumId, name: &str) -> NewMedium {
    NewMedium {
        id,
        name: name.to_owned(),
        family: Family::Tape,
        technology: "LTO-8".to_owned(),
        location: Location {
            path: barcode(name),
            dock: None,
            library: Some(LIBRARY.to_owned()),
        },
        tags: BTreeSet::new(),
        class: None,
        capacity: None,
    }
}

fn label(host: &Host, (medium, name): (MediumId, &str)) -> Label {
    Label {
        format: FORMAT.to_owned(),
        medium,
        name: name.to_owned(),
        generation: Generation(0),
        catalogue: host.catalogue_id,
        revision: Revision(0),
        created_at: host.clock.now(),
    }
}

fn shape(name: &str) -> Shape {
    Shape {
        block_size: BLOCK,
        ..Shape::usual(&barcode(name))
    }
}

/// Another host, which looks at copies of all tapes after the power was cut at its worst.
pub struct Elsewhere(Library);

/// What is found on a tape.
pub struct Found {
    /// The extents that the tape names by itself, and what their bytes digest to.
    pub named: BTreeMap<ExtentId, Blake3>,
    /// All that is wrong with the volume.
    pub findings: Vec<Finding>,
}

impl Elsewhere {
    pub fn of(robot: &Robot) -> Self {
        let copy = robot.clone();
        copy.model().power_cut();
        let library = copy.open(&(Arc::new(Nobody) as _)).expect("a calm library is opened");
        for bay in library.bays() {
            library
                .take_out(&bay.name)
                .expect("a calm library takes out what is in a drive");
        }
        Self(library)
    }

    /// Mounts a tape as the catalogue expects it. `least_end` is where it knows the data to end.
    pub fn mount(&self, medium: &Medium, least_end: u64) -> Result<Box<dyn Volume>, String> {
        let is_erasing = medium.adm_state == AdmState::Erasing;
        let mut generations = vec![medium.generation];
        if is_erasing {
            generations.push(Generation(medium.generation.0 - 1));
        }
        let expected = Expected {
            medium: medium.id,
            name: medium.name.clone(),
            generations,
            erasing: if is_erasing { Erasing::Begun } else { Erasing::No },
            least_end,
            catalogue: None,
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        };
        let mounted = self.0.mount(BAY, &medium.location.path, expected);
        mounted.map_err(|error| format!("{} cannot be mounted: {error}", medium.name))
    }

    /// Puts a tape away that was mounted.
    pub fn put_away(&self) {
        self.0.unmount(BAY).expect("a calm drive is given back");
        self.0.take_out(BAY).expect("a calm library takes it out");
    }

    /// Every extent of these rows that is *sync* is there: where the catalogue has it, and by the tape's own index or log.
    /// Answers what is not.
    pub fn missing(&self, medium: &Medium, rows: &[Extent], least_end: u64) -> Vec<String> {
        let mut volume = match self.mount(medium, least_end) {
            Ok(volume) => volume,
            Err(words) => return vec![words],
        };
        let mut missing = Vec::new();
        match named(&mut *volume) {
            Ok(named) => {
                let sync = rows.iter().filter(|row| row.state == ExtentState::Sync);
                for row in sync {
                    let what = format!("I1, I5: {} on {} is sync", row.address, medium.name);
                    let wanted = row.digests.as_ref().expect("a sync extent has digests").blake3;
                    if named.get(&row.id) != Some(&wanted) {
                        missing.push(format!("{what}, and the tape does not name it"));
                    }
                    if row.span.is_none() {
                        missing.push(format!("{what}, and nobody knows where it lies"));
                    }
                    match read(&mut *volume, &Wanted::of(row)) {
                        Ok(found) if found == wanted => {}
                        Ok(_) => missing.push(format!("{what}, and other bytes lie there")),
                        Err(words) => missing.push(format!("{what}, and cannot be read: {words}")),
                    }
                }
            }
            Err(words) => missing.push(format!("the index of {} cannot be had: {words}", medium.name)),
        }
        drop(volume);
        self.put_away();
        missing
    }

    /// What the index and the log of a tape name, and what that digests to by their word.
    pub fn named(&self, medium: &Medium, least_end: u64) -> Result<BTreeMap<ExtentId, Blake3>, String> {
        let mut volume = self.mount(medium, least_end)?;
        let found = named(&mut *volume);
        drop(volume);
        self.put_away();
        found
    }

    /// All that a tape holds by its own word, every byte read, and what a check of the volume has to say.
    pub fn all(&self, medium: &Medium, least_end: u64) -> Result<Found, String> {
        let mut volume = self.mount(medium, least_end)?;
        let found = contents(&mut *volume);
        // A tape may be left between two commits of its index, or in the middle of one. Whoever writes to it next commits it
        // once more, behind everything, and then nothing may be wrong with it.
        let stamp = IndexStamp {
            revision: volume.revision(),
            event_head: None,
        };
        let committed = volume.commit_index(stamp).map_err(|error| error.to_string());
        drop(volume);
        self.put_away();
        committed?;
        let checked = self
            .0
            .check(BAY, &medium.location.path)
            .map_err(|error| error.to_string());
        self.0.take_out(BAY).expect("a calm library takes it out");
        let findings = checked?.findings;
        Ok(Found {
            named: found?,
            findings,
        })
    }
}

/// What the index and the log name, as the tape itself digests it.
fn named(volume: &mut dyn Volume) -> Result<BTreeMap<ExtentId, Blake3>, String> {
    let entries = volume.index().map_err(|error| error.to_string())?;
    let named = entries.map(|entry| {
        let entry = entry.map_err(|error| error.to_string())?;
        Ok((entry.tag.extent, entry.digests.blake3))
    });
    named.collect()
}

/// The same, of the bytes that lie there.
fn contents(volume: &mut dyn Volume) -> Result<BTreeMap<ExtentId, Blake3>, String> {
    let generation = volume.label().generation;
    let entries = volume.index().map_err(|error| error.to_string())?;
    let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for entry in entries {
        let wanted = Wanted {
            extent: entry.tag.extent,
            oid: entry.tag.origin.oid.clone(),
            address: entry.address.clone(),
            bytes: entry.tag.bytes,
            generation,
            inode: None,
            span: None,
        };
        found.insert(entry.tag.extent, read(volume, &wanted)?);
    }
    Ok(found)
}

fn read(volume: &mut dyn Volume, wanted: &Wanted) -> Result<Blake3, String> {
    let words = |error: lrs::ldm::MediaError| error.to_string();
    let handle = volume.open(wanted, ReadFrom::Medium).map_err(words)?;
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 16 << 10]);
    let end = loop {
        match volume.read(handle, &mut buffer) {
            Ok(0) => break Ok(Blake3(*hasher.finalize().as_bytes())),
            Ok(count) => drop(hasher.update(&buffer[..count])),
            Err(error) => break Err(words(error)),
        }
    };
    volume.close(handle);
    end
}

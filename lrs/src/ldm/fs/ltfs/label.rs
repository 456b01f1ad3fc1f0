//! The label: which volume this is, which of its partitions is which, and how long its records are. Both partitions have
//! one, and they agree in all but their own place (LTFS format specification, label format).

use super::xml::{Limits, Tag, Xml, XmlFault, XmlResult, XmlWriter};
use super::{BLOCK_MAX, BLOCK_MIN, FORMAT_VERSION, Time};
use std::fmt;
use std::io;
use uuid::Uuid;

/// The id of a partition: a letter from a to z. Which number of the drive it is, the labels tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(u8);

impl PartitionId {
    /// The index partition of volumes that are formatted here.
    pub const A: Self = Self(b'a');
    /// Their data partition.
    pub const B: Self = Self(b'b');

    /// An id, if it is one.
    pub fn new(text: &str) -> Option<Self> {
        match text.as_bytes() {
            &[letter @ b'a'..=b'z'] => Some(Self(letter)),
            _ => None,
        }
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.0))
    }
}

/// A label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The format's version.
    pub version: String,
    /// Who formatted it.
    pub creator: String,
    /// When.
    pub format_time: Time,
    /// The volume.
    pub volume: Uuid,
    /// The partition that this label is on.
    pub location: PartitionId,
    /// The index partition.
    pub index: PartitionId,
    /// The data partition.
    pub data: PartitionId,
    /// Length of a full record, of data and indexes, in bytes.
    pub block_size: u32,
    /// Whether the drive is to compress.
    pub compression: bool,
}

impl Label {
    /// The first field in which two labels of one volume differ that must not; who wrote them does not matter.
    pub fn disagreement(&self, other: &Self) -> Option<&'static str> {
        let fields = [
            ("volumeuuid", self.volume == other.volume),
            ("blocksize", self.block_size == other.block_size),
            ("partitions", (self.index, self.data) == (other.index, other.data)),
            ("formattime", self.format_time == other.format_time),
            ("compression", self.compression == other.compression),
            ("version", self.version == other.version),
            ("location", self.location != other.location),
        ];
        fields.iter().find(|(_, agree)| !agree).map(|(field, _)| *field)
    }
}

/// A version's first number: 2 of 2.4.0.
pub(super) fn major(version: &str) -> Option<u64> {
    let mut numbers = version.split('.').map(|number| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| number.parse::<u64>().ok())?
    });
    let first = numbers.next()??;
    let rest: Option<Vec<u64>> = numbers.collect();
    matches!(rest?.len(), 1 | 2).then_some(first)
}

/// A UUID in its form of 36 characters, in any case.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok())?
}

/// Puts a value where there must be none yet.
pub(super) fn once<T, R: io::BufRead>(xml: &Xml<R>, slot: &mut Option<T>, tag: &Tag, value: T) -> XmlResult<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(xml.error(XmlFault::Twice(tag.name.to_string()))),
    }
}

#[derive(Default)]
struct Draft {
    creator: Option<String>,
    format_time: Option<Time>,
    volume: Option<Uuid>,
    location: Option<PartitionId>,
    index: Option<PartitionId>,
    data: Option<PartitionId>,
    block_size: Option<u32>,
    compression: Option<bool>,
}

fn partition(xml: &mut Xml<&[u8]>, tag: &Tag) -> XmlResult<PartitionId> {
    xml.parsed(tag, "not a letter from a to z", PartitionId::new)
}

fn block_size(text: &str) -> Option<u32> {
    text.parse().ok().filter(|size| (BLOCK_MIN..=BLOCK_MAX).contains(size))
}

fn element(xml: &mut Xml<&[u8]>, tag: &Tag, draft: &mut Draft) -> XmlResult<()> {
    match tag.name.as_str() {
        "creator" => {
            let value = xml.text(tag)?;
            once(xml, &mut draft.creator, tag, value)
        }
        "formattime" => {
            let value = xml.parsed(tag, "not a time", |text| text.parse().ok())?;
            once(xml, &mut draft.format_time, tag, value)
        }
        "volumeuuid" => {
            let value = xml.parsed(tag, "not a UUID", uuid)?;
            once(xml, &mut draft.volume, tag, value)
        }
        "blocksize" => {
            let value = xml.parsed(tag, "not a length of records from 4096 to 16777215", block_size)?;
            once(xml, &mut draft.block_size, tag, value)
        }
        "compression" => {
            let value = xml.boolean(tag)?;
            once(xml, &mut draft.compression, tag, value)
        }
        "location" | "partitions" => places(xml, tag, draft),
        _ => xml.skip(),
    }
}

fn places(xml: &mut Xml<&[u8]>, outer: &Tag, draft: &mut Draft) -> XmlResult<()> {
    while let Some(tag) = xml.child()? {
        let slot = match (outer.name.as_str(), tag.name.as_str()) {
            ("location", "partition") => &mut draft.location,
            ("partitions", "index") => &mut draft.index,
            ("partitions", "data") => &mut draft.data,
            _ => {
                xml.skip()?;
                continue;
            }
        };
        let value = partition(xml, &tag)?;
        once(xml, slot, &tag, value)?;
    }
    Ok(())
}

/// Reads a label. A version from 3 on is refused by name, whatever else it holds.
pub fn read(record: &[u8]) -> XmlResult<Label> {
    let mut xml = Xml::new(record, Limits::LABEL);
    let root = xml.root("ltfslabel")?;
    let version = root.attribute("version").unwrap_or_default();
    match major(&version) {
        Some(1 | 2) => {}
        Some(0) | None => return Err(xml.error(XmlFault::NoVersion(version))),
        Some(_) => return Err(xml.error(XmlFault::Newer(version))),
    }
    let mut draft = Draft::default();
    while let Some(tag) = xml.child()? {
        element(&mut xml, &tag, &mut draft)?;
    }
    xml.end()?;
    let missing = |element| {
        xml.error(XmlFault::Missing {
            element,
            within: "ltfslabel",
        })
    };
    let label = Label {
        version,
        creator: draft.creator.ok_or_else(|| missing("creator"))?,
        format_time: draft.format_time.ok_or_else(|| missing("formattime"))?,
        volume: draft.volume.ok_or_else(|| missing("volumeuuid"))?,
        location: draft.location.ok_or_else(|| missing("location"))?,
        index: draft.index.ok_or_else(|| missing("index"))?,
        data: draft.data.ok_or_else(|| missing("data"))?,
        block_size: draft.block_size.ok_or_else(|| missing("blocksize"))?,
        compression: draft.compression.ok_or_else(|| missing("compression"))?,
    };
    let distinct = label.index != label.data && [label.index, label.data].contains(&label.location);
    if !distinct {
        let value = format!("{} of {} and {}", label.location, label.index, label.data);
        return Err(xml.error(XmlFault::Value {
            element: "partitions".to_owned(),
            value,
            why: "the ids of partitions do not fit together",
        }));
    }
    Ok(label)
}

/// Writes a label, in the present version. Fails where the creator holds what XML does not have.
pub fn write(label: &Label) -> io::Result<Vec<u8>> {
    let mut xml = XmlWriter::new(Vec::new(), Limits::LABEL)?;
    xml.open_with("ltfslabel", [("version", FORMAT_VERSION)].into_iter())?;
    xml.text("creator", &label.creator)?;
    xml.plain("formattime", label.format_time)?;
    xml.plain("volumeuuid", label.volume.hyphenated())?;
    xml.open("location")?;
    xml.plain("partition", label.location)?;
    xml.close("location")?;
    xml.open("partitions")?;
    xml.plain("index", label.index)?;
    xml.plain("data", label.data)?;
    xml.close("partitions")?;
    xml.plain("blocksize", label.block_size)?;
    xml.plain("compression", label.compression)?;
    xml.close("ltfslabel")?;
    Ok(xml.into_inner())
}

/// Reads whatever bytes as a label: for tests that look for panics.
pub fn fuzz_label(bytes: &[u8]) {
    if let Ok(label) = read(bytes) {
        let again = write(&label).expect("what was read can be written");
        let again = read(&again).expect("what was written can be read");
        assert_eq!(
            again
                .disagreement(&label)
                .filter(|field| !matches!(*field, "version" | "location")),
            None
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Label {
        Label {
            version: FORMAT_VERSION.to_owned(),
            creator: "A & B <c> - Linux".to_owned(),
            format_time: "2026-11-20T10:21:26.224782323Z".parse().unwrap(),
            volume: Uuid::from_u128(7),
            location: PartitionId::A,
            index: PartitionId::A,
            data: PartitionId::B,
            block_size: 524_288,
            compression: true,
        }
    }

    fn text() -> String {
        String::from_utf8(write(&some()).unwrap()).unwrap()
    }

    #[test]
    fn a_label_comes_back() {
        assert_eq!(read(text().as_bytes()), Ok(some()));
        let other = Label {
            location: PartitionId::B,
            creator: "another".to_owned(),
            ..some()
        };
        assert_eq!(some().disagreement(&other), None);
        assert_eq!(some().disagreement(&some()), Some("location"));
        let larger = Label {
            block_size: 4096,
            ..other
        };
        assert_eq!(some().disagreement(&larger), Some("blocksize"));
    }

    #[test]
    fn newer_versions_are_refused_by_name_and_others_are_none() {
        let fault = |version: &str| read(text().replace("2.4.0", version).as_bytes()).map_err(|error| error.fault);
        assert_eq!(fault("3.0.0"), Err(XmlFault::Newer("3.0.0".to_owned())));
        assert!(fault("1.0").is_ok() && fault("2.99.99").is_ok());
        for version in ["", "2", "2.x.0", "0.9", "2.4.0.1", "-2.4"] {
            assert_eq!(fault(version), Err(XmlFault::NoVersion(version.to_owned())));
        }
    }

    #[test]
    fn every_field_is_needed_once_and_must_mean_something() {
        for field in [
            "creator",
            "formattime",
            "volumeuuid",
            "index",
            "data",
            "blocksize",
            "compression",
        ] {
            let without: String = text()
                .lines()
                .filter(|line| !line.starts_with(&format!("<{field}>")))
                .collect();
            assert!(matches!(
                read(without.as_bytes()).unwrap_err().fault,
                XmlFault::Missing { .. }
            ));
        }
        for (from, to) in [
            ("524288", "4095"),
            ("524288", "1000000000000000000"),
            ("<data>b", "<data>a"),
            ("<data>b", "<data>B"),
            ("true", "maybe"),
            ("<partition>a", "<partition>c"),
            ("</ltfslabel>", ""),
            ("</ltfslabel>", "</ltfslabel>x"),
            ("<compression>", "<blocksize>4096</blocksize><compression>"),
            ("UTF-8", "UTF-16"),
        ] {
            assert!(read(text().replacen(from, to, 1).as_bytes()).is_err(), "{from} -> {to}");
        }
    }
}

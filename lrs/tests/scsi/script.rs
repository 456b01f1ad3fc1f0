//! A scripted device: each command that is expected, and its answer. A command that is not expected, or one that is
//! and does not come, fails the test.

pub use crate::clock::TestClock;
use lrs::ldm::drive::{Drive, Position, ScsiDrive};
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::scsi::{Cdb, Completion, Status, Transfer, Transport, TransportError};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What one command is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    data: Vec<u8>,
    outcome: Result<(Status, Vec<u8>), TransportError>,
    /// Bytes moved, where that is not all that was asked for or given.
    moved: Option<usize>,
}

/// Done. Data in: nothing; data out: all taken.
pub fn good() -> Reply {
    Reply {
        data: Vec::new(),
        outcome: Ok((Status::Good, Vec::new())),
        moved: None,
    }
}

/// Done, with data.
pub fn data(data: &[u8]) -> Reply {
    Reply {
        data: data.to_vec(),
        ..good()
    }
}

/// A check condition.
pub fn check(key: u8, asc: u8, ascq: u8) -> Reply {
    sense(key, asc, ascq, 0, None)
}

/// Flags of byte 2 of fixed format.
pub const FILEMARK: u8 = 0x80;
pub const END: u8 = 0x40;
pub const LENGTH: u8 = 0x20;

/// A check condition with flags and an information field, in fixed format (SPC-4, table 53).
pub fn sense(key: u8, asc: u8, ascq: u8, flags: u8, information: Option<i32>) -> Reply {
    let mut bytes = vec![0; 18];
    bytes[0] = if information.is_some() { 0xf0 } else { 0x70 };
    bytes[2] = key | flags;
    bytes[3..7].copy_from_slice(&information.unwrap_or(0).to_be_bytes());
    bytes[7] = 10;
    (bytes[12], bytes[13]) = (asc, ascq);
    Reply {
        outcome: Ok((Status::CheckCondition, bytes)),
        moved: Some(0),
        ..good()
    }
}

pub fn status(status: Status) -> Reply {
    Reply {
        outcome: Ok((status, Vec::new())),
        moved: Some(0),
        ..good()
    }
}

pub fn no_answer(error: TransportError) -> Reply {
    Reply {
        outcome: Err(error),
        ..good()
    }
}

impl Reply {
    /// The same of an earlier command.
    pub fn deferred(mut self) -> Self {
        if let Ok((_, sense)) = &mut self.outcome {
            sense[0] |= 0x01;
        }
        self
    }

    /// The sense key, of a check condition.
    pub fn says(&self) -> Option<u8> {
        self.outcome.as_ref().ok()?.1.get(2).map(|byte| byte & 0x0f)
    }

    /// Data beside it.
    pub fn with(mut self, data: &[u8]) -> Self {
        self.data = data.to_vec();
        self.moved = Some(data.len());
        self
    }

    /// So many bytes were moved, whatever else it says.
    pub fn moved(mut self, bytes: usize) -> Self {
        self.moved = Some(bytes);
        self
    }
}

#[derive(Debug, Default)]
struct Script {
    steps: VecDeque<(Cdb, Reply)>,
    sent: Vec<Vec<u8>>,
}

/// The script, as the test holds it.
#[derive(Clone, Debug, Default)]
pub struct Device(Arc<Mutex<Script>>);

/// How much one command carries.
pub const TRANSFER_MAX: usize = 1 << 20;

impl Device {
    /// Expects a command.
    pub fn on(&self, cdb: Cdb, reply: Reply) -> &Self {
        self.0.lock().unwrap().steps.push_back((cdb, reply));
        self
    }

    /// Everything expected came.
    pub fn done(&self) {
        let script = self.0.lock().unwrap();
        assert!(script.steps.is_empty(), "these never came: {:x?}", script.steps);
    }

    /// What was sent to the device so far, by command.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().sent.clone()
    }
}

impl Transport for Device {
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError> {
        assert!(
            timeout >= Duration::from_secs(60),
            "no command of a tape drive is given less"
        );
        let mut script = self.0.lock().unwrap();
        let Some((expected, reply)) = script.steps.pop_front() else {
            panic!("{cdb:02x?} came, and nothing was expected");
        };
        assert_eq!(
            expected.as_bytes(),
            cdb,
            "expected {:02x?}, got {cdb:02x?}",
            expected.as_bytes()
        );
        let all = match transfer {
            Transfer::None => 0,
            Transfer::In(buffer) => {
                let bytes = reply.data.len().min(buffer.len());
                buffer[..bytes].copy_from_slice(&reply.data[..bytes]);
                bytes
            }
            Transfer::Out(bytes) => {
                script.sent.push(bytes.to_vec());
                bytes.len()
            }
        };
        let (status, sense) = reply.outcome?;
        Ok(Completion {
            status,
            sense,
            transferred: reply.moved.unwrap_or(all),
        })
    }

    fn transfer_max(&self) -> usize {
        TRANSFER_MAX
    }

    fn name(&self) -> &str {
        "drive0"
    }
}

pub fn key() -> Key {
    Key::new(0x5265_7370_6f6f_6c01).unwrap()
}

/// INQUIRY's standard data, of a device type.
pub fn inquiry(device_type: u8) -> Vec<u8> {
    let mut bytes = vec![device_type, 0x80, 6, 2, 91, 0, 0, 0];
    bytes.extend(b"IBM     ULT3580-TD8     N9M1");
    bytes
}

pub type TestDrive = ScsiDrive<Device, TestClock>;

/// A drive that was opened, and its clock.
pub fn opened() -> (Device, TestClock, TestDrive) {
    let (device, clock) = (Device::default(), TestClock::default());
    expect_opening(&device);
    let drive = ScsiDrive::with_clock(device.clone(), key(), clock.clone()).unwrap();
    device.done();
    (device, clock, drive)
}

pub fn expect_opening(device: &Device) {
    device
        .on(Cdb::test_unit_ready(), check(6, 0x29, 0x01))
        .on(Cdb::test_unit_ready(), check(6, 0x28, 0x00))
        .on(Cdb::test_unit_ready(), good())
        .on(Cdb::inquiry(252), data(&inquiry(1)))
        .on(Cdb::inquiry_page(0x80, 252), data(b"\x01\x80\0\x0a1013000001"))
        .on(Cdb::read_block_limits(), data(&[0, 0x80, 0, 0, 0, 1]));
}

/// READ POSITION's long form.
pub fn position(partition: u8, block: u64) -> Reply {
    let mut bytes = [0; 32];
    bytes[7] = partition;
    bytes[8..16].copy_from_slice(&block.to_be_bytes());
    data(&bytes)
}

/// A drive that was opened and knows where it stands.
pub fn standing() -> (Device, TestDrive) {
    let (device, _, mut drive) = opened();
    let at = Position::at(1, 100);
    device
        .on(Cdb::locate(at), good())
        .on(Cdb::read_position(), position(1, 100));
    drive.locate(at).unwrap();
    (device, drive)
}

//! The calls themselves: numbers and structure of `scsi/sg.h`, which the kernel keeps for ever.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// `SG_IO`, `SG_GET_VERSION_NUM`, `SG_SET_RESERVED_SIZE`, `SG_GET_RESERVED_SIZE`.
const SG_IO: libc::Ioctl = 0x2285;
const SG_GET_VERSION_NUM: libc::Ioctl = 0x2282;
const SG_SET_RESERVED_SIZE: libc::Ioctl = 0x2275;
const SG_GET_RESERVED_SIZE: libc::Ioctl = 0x2272;

/// `SG_DXFER_NONE`, `SG_DXFER_TO_DEV`, `SG_DXFER_FROM_DEV`.
const DXFER_NONE: i32 = -1;
const DXFER_TO_DEV: i32 = -2;
const DXFER_FROM_DEV: i32 = -3;

/// `SG_FLAG_DIRECT_IO`: a wish; the kernel copies where the buffer's alignment or its settings forbid it.
const FLAG_DIRECT_IO: u32 = 1;

/// Buffers aligned so may go to the device themselves.
const PAGE: usize = 4096;

/// The kernel gives at most 96 bytes of sense; the field has 8 bits.
const SENSE_BYTES: usize = 252;

/// `struct sg_io_hdr`.
#[repr(C)]
#[derive(Debug)]
pub(super) struct SgIoHdr {
    interface_id: i32,
    dxfer_direction: i32,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut libc::c_void,
    cmdp: *const u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: i32,
    usr_ptr: *mut libc::c_void,
    status: u8,
    masked_status: u8,
    msg_status: u8,
    sb_len_wr: u8,
    host_status: u16,
    driver_status: u16,
    resid: i32,
    duration: u32,
    info: u32,
}

/// Which way data go.
pub(super) enum Direction<'a> {
    None,
    In(&'a mut [u8]),
    Out(&'a [u8]),
}

/// One command.
pub(super) struct Request<'a> {
    pub(super) cdb: &'a [u8],
    pub(super) direction: Direction<'a>,
    pub(super) timeout: Duration,
}

/// What the driver says about it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u8,
    pub(super) host_status: u16,
    pub(super) driver_status: u16,
    pub(super) residual: i32,
    pub(super) asked: usize,
    pub(super) sense: Vec<u8>,
}

/// Sends a command and waits for its end.
pub(super) fn send(node: &OwnedFd, request: Request<'_>) -> nix::Result<Answer> {
    let (dxfer_direction, dxferp, asked) = match request.direction {
        Direction::None => (DXFER_NONE, std::ptr::null_mut(), 0),
        Direction::In(buffer) => (DXFER_FROM_DEV, buffer.as_mut_ptr(), buffer.len()),
        // The kernel only reads from it in this direction.
        Direction::Out(bytes) => (DXFER_TO_DEV, bytes.as_ptr().cast_mut(), bytes.len()),
    };
    let mut sense = vec![0; SENSE_BYTES];
    let mut header = SgIoHdr {
        interface_id: i32::from(b'S'),
        dxfer_direction,
        cmd_len: u8::try_from(request.cdb.len()).map_err(|_| Errno::EINVAL)?,
        mx_sb_len: SENSE_BYTES as u8,
        iovec_count: 0,
        dxfer_len: u32::try_from(asked).map_err(|_| Errno::EINVAL)?,
        dxferp: dxferp.cast(),
        cmdp: request.cdb.as_ptr(),
        sbp: sense.as_mut_ptr(),
        timeout: u32::try_from(request.timeout.as_millis())
            .unwrap_or(u32::MAX - 1)
            .max(1),
        flags: if dxferp.addr() % PAGE == 0 { FLAG_DIRECT_IO } else { 0 },
        pack_id: 0,
        usr_ptr: std::ptr::null_mut(),
        status: 0,
        masked_status: 0,
        msg_status: 0,
        sb_len_wr: 0,
        host_status: 0,
        driver_status: 0,
        resid: 0,
        duration: 0,
        info: 0,
    };
    call(node, &mut header)?;
    sense.truncate(usize::from(header.sb_len_wr));
    Ok(Answer {
        status: header.status,
        host_status: header.host_status,
        driver_status: header.driver_status,
        residual: header.resid,
        asked,
        sense,
    })
}

#[allow(unsafe_code)]
fn call(node: &OwnedFd, header: &mut SgIoHdr) -> nix::Result<()> {
    // SAFETY: the header has the kernel's layout (a test compares its size). Its pointers are to the command, the sense
    // buffer and the data buffer, each valid for the length beside it and borrowed by the caller, `send`, until this call
    // is over; the data buffer is written only in the direction in which it was borrowed mutably. The call is over only when
    // the device is done with them: all signals are held back, so nothing ends the kernel's wait early.
    let answer = unsafe { libc::ioctl(node.as_raw_fd(), SG_IO, std::ptr::from_mut(header)) };
    Errno::result(answer).map(drop)
}

/// The driver's version: 30000 and more is version 3. Another kind of file does not know the question.
pub(super) fn version(node: &OwnedFd) -> nix::Result<i32> {
    number(node, SG_GET_VERSION_NUM, 0)
}

/// Has the driver set memory aside for transfers, and answers how much it did: it grants less than wanted where the adapter
/// cannot carry so much in one command, or memory is short.
pub(super) fn reserve(node: &OwnedFd, wanted: usize) -> nix::Result<usize> {
    number(node, SG_SET_RESERVED_SIZE, i32::try_from(wanted).unwrap_or(i32::MAX))?;
    let granted = number(node, SG_GET_RESERVED_SIZE, 0)?;
    Ok(usize::try_from(granted).unwrap_or(0))
}

/// A question or wish of one number.
#[allow(unsafe_code)]
fn number(node: &OwnedFd, request: libc::Ioctl, mut value: i32) -> nix::Result<i32> {
    // SAFETY: each of the requests above reads or writes one int, which `value` is, and keeps no pointer to it.
    let answer = unsafe { libc::ioctl(node.as_raw_fd(), request, std::ptr::from_mut(&mut value)) };
    Errno::result(answer).map(|_| value)
}

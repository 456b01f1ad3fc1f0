use super::ioctl::{Answer, SgIoHdr};
use super::*;

#[test]
#[cfg(target_pointer_width = "64")]
fn the_header_is_as_long_as_the_kernels() {
    assert_eq!(std::mem::size_of::<SgIoHdr>(), 88);
}

#[test]
fn what_is_not_there_or_something_else_is_told_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sg0");
    let refused = SgDevice::open(&path).unwrap_err();
    assert!(matches!(refused, SgError::NoSuchDevice(_)), "{refused}");

    std::fs::write(&path, b"a file").unwrap();
    let refused = SgDevice::open(&path).unwrap_err();
    assert!(refused.to_string().ends_with("it is no character device"), "{refused}");

    let refused = SgDevice::open(folder.path()).unwrap_err();
    assert!(refused.to_string().ends_with("it is a directory"), "{refused}");

    let refused = SgDevice::open(Path::new("/dev/null")).unwrap_err();
    assert!(matches!(refused, SgError::NotGeneric(..)), "{refused}");
}

#[test]
fn each_refusal_of_the_kernel_has_its_words() {
    let words = |errno| refusal("sg3", errno).to_string();
    assert_eq!(
        words(Errno::EBUSY),
        "sg3 is in use: by whom is not to be seen from here"
    );
    assert_eq!(words(Errno::ENXIO), "sg3: there is no such device");
    assert!(words(Errno::EACCES).contains("by this user"));
    assert!(words(Errno::EIO).contains("EIO"));
}

fn answer() -> Answer {
    Answer {
        status: 0,
        host_status: 0,
        driver_status: 0,
        residual: 0,
        asked: 100,
        sense: Vec::new(),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn bytes_moved_are_those_asked_for_less_a_residual_that_can_be_true() {
    for (residual, transferred) in [(0, 100), (40, 60), (100, 0), (101, 0), (-5, 100)] {
        let answer = Answer { residual, ..answer() };
        assert_eq!(completion(answer, MINUTE).unwrap().transferred, transferred);
    }
}

#[test]
fn a_command_that_ran_out_of_time_has_no_answer() {
    for (host_status, driver_status) in [(0x03, 0), (0, 0x06), (0, 0x36)] {
        let answer = Answer {
            host_status,
            driver_status,
            ..answer()
        };
        assert_eq!(completion(answer, MINUTE), Err(TransportError::TimedOut(MINUTE)));
    }
    let lost = Answer {
        host_status: 0x07,
        ..answer()
    };
    let expected = TransportError::Link { host: 0x07, driver: 0 };
    assert_eq!(completion(lost, MINUTE), Err(expected));
}

#[test]
fn sense_without_a_status_is_still_a_check_condition() {
    let answer = Answer {
        driver_status: 0x08,
        sense: vec![0x70, 0, 3],
        ..answer()
    };
    assert_eq!(completion(answer, MINUTE).unwrap().status, Status::CheckCondition);
}

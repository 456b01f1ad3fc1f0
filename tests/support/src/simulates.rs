//! SIGKILL is not power loss. A test that ends things says which of the two it simulates, in its output; the table of
//! rows reads the same word from its source.

/// What a test does to the programs or the media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulates {
    /// A process is ended by SIGKILL. What the kernel had taken from it stays and reaches the disk.
    KilledProcess,
    /// The power goes: every write, rename and directory entry that was not synced may be gone, in any legal order.
    PowerCut,
}

impl Simulates {
    /// Says it.
    pub fn say(self) {
        println!("{}", self.words());
    }

    /// What is said.
    pub fn words(self) -> &'static str {
        match self {
            Self::KilledProcess => {
                "simulates: a killed process (SIGKILL). What the kernel had taken stays; this is not a power cut."
            }
            Self::PowerCut => {
                "simulates: a power cut. Unsynced writes, renames and directory entries are lost in any legal order."
            }
        }
    }
}

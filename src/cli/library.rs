//! `library`.

mod shown;

use super::patience::{self, Doing};
use super::tape;
use super::{Context, Done};
use crate::api::library::{
    InsertRequest, LibraryAddRequest, LibraryList, LibraryRequest, LibraryView, NewLibrary, TECHNOLOGIES, TapeView,
    VirtualShape, technology_word,
};
use crate::api::wire::Nothing;
use crate::api::{Problem, exit};
use crate::state::absolute;
use clap::ValueHint;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};

/// What a changer is called where nobody says.
const FIRST: &str = "lib0";

#[derive(Debug, clap::Subcommand)]
pub enum Library {
    /// Make a library known
    #[command(subcommand)]
    Add(Add),
    /// All libraries, or what is in one of them
    List(List),
    /// Let a library look into all its places again, and show what is there
    Scan(Which),
    /// Copy a cartridge folder that other LTFS software made into a free slot of a virtual library
    Insert(Insert),
    /// Make a library unknown again; its cartridges, and the folder of a virtual one, stay as they are
    Forget(Which),
}

#[derive(Debug, clap::Subcommand)]
pub enum Add {
    /// A folder that plays a library; it is made if it is none yet
    Virtual(Virtual),
    /// A changer of this host and the drives in it
    Scsi(Scsi),
}

#[derive(Debug, clap::Args)]
pub struct Virtual {
    /// What it shall be called, and then its folder; or its folder alone, whose name it gets
    #[arg(value_name = "NAME|DIR", value_hint = ValueHint::DirPath)]
    first: PathBuf,
    /// Its folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    second: Option<PathBuf>,
    /// How many drives a new one has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), value_hint = ValueHint::Other)]
    drives: Option<u16>,
    /// How many slots a new one has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), value_hint = ValueHint::Other)]
    slots: Option<u16>,
    /// How many mail slots a new one has
    #[arg(long, value_name = "N", value_hint = ValueHint::Other)]
    mail_slots: Option<u16>,
    /// How many blank cartridges lie in a new one
    #[arg(long, value_name = "N", value_hint = ValueHint::Other)]
    cartridges: Option<u16>,
    /// The generation of the drives and cartridges of a new one
    #[arg(long, value_name = "T", value_parser = technologies(), ignore_case = true)]
    technology: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Scsi {
    /// What it shall be called, and then its changer; or its changer alone, and it is called lib0
    #[arg(value_name = "NAME|DEVICE", value_hint = ValueHint::FilePath)]
    first: PathBuf,
    /// Its changer, for example /dev/sg2
    #[arg(value_name = "DEVICE", value_hint = ValueHint::FilePath)]
    second: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// Show what is in this one
    #[arg(value_name = "NAME", value_hint = ValueHint::Other)]
    library: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// What the library is called
    #[arg(value_name = "NAME", value_hint = ValueHint::Other)]
    library: String,
}

#[derive(Debug, clap::Args)]
pub struct Insert {
    #[command(flatten)]
    which: Which,
    /// The folder of the cartridge; it is copied, and stays as it is
    #[arg(value_name = "CARTRIDGE_DIR", value_hint = ValueHint::DirPath)]
    cartridge: PathBuf,
    /// The barcode that it gets
    #[arg(long, value_name = "B", value_hint = ValueHint::Other)]
    barcode: String,
    /// Its generation [default: what its folder says, else the library's]
    #[arg(long, value_name = "T", value_parser = technologies(), ignore_case = true)]
    technology: Option<String>,
}

/// The words for generations. What is sent is the word, however it was spelled.
fn technologies() -> impl TypedValueParser<Value = String> {
    let words = TECHNOLOGIES.map(|(word, others)| PossibleValue::new(word).aliases(others));
    PossibleValuesParser::new(words).map(|typed| technology_word(&typed).expect("it is one of them").to_owned())
}

impl Library {
    pub async fn run(self, context: &Context) -> Done {
        match self {
            Self::Add(add) => add.run(context).await,
            Self::List(List { library: None }) => {
                let list: LibraryList = context.client().await?.call("/v1/library/list", &Nothing {}).await?;
                context.output.result(&list, shown::brief);
                Ok(exit::DONE)
            }
            Self::List(List { library: Some(library) }) => {
                let library = view(context, "/v1/library/show", library).await?;
                context.output.result(&library, shown::details);
                Ok(exit::DONE)
            }
            Self::Scan(which) => scan(context, which.library).await,
            Self::Insert(insert) => insert.run(context).await,
            Self::Forget(which) => {
                let library = view(context, "/v1/library/forget", which.library).await?;
                context
                    .output
                    .result(&library, |library| context.globals.within(&shown::forgotten(library)));
                Ok(exit::DONE)
            }
        }
    }
}

async fn view(context: &Context, path: &str, library: String) -> Result<LibraryView, Problem> {
    let request = LibraryRequest { library };
    context.client().await?.call(path, &request).await
}

async fn scan(context: &Context, library: String) -> Done {
    let doing = Doing {
        what: format!("scanning library {library}"),
        takes: "minutes",
    };
    let request = LibraryRequest { library };
    let library: LibraryView = patience::call(context, &doing, "/v1/library/scan", &request).await?;
    context.output.result(&library, shown::details);
    Ok(exit::DONE)
}

impl Add {
    async fn run(self, context: &Context) -> Done {
        let request = self.request()?;
        let doing = Doing {
            what: format!("opening library {} and looking into its places", request.name),
            takes: "minutes",
        };
        let library: LibraryView = patience::call(context, &doing, "/v1/library/add", &request).await?;
        context.output.result(&library, shown::details);
        Ok(exit::DONE)
    }

    fn request(self) -> Result<LibraryAddRequest, Problem> {
        match self {
            Self::Virtual(typed) => {
                let (name, folder) = name_and_place(typed.first, typed.second)?;
                let shape = VirtualShape {
                    drives: typed.drives,
                    slots: typed.slots,
                    mail_slots: typed.mail_slots,
                    cartridges: typed.cartridges,
                    technology: typed.technology,
                };
                let name = name.map_or_else(|| named_after(&folder), Ok)?;
                let what = NewLibrary::Virtual { folder, shape };
                Ok(LibraryAddRequest { name, what })
            }
            Self::Scsi(typed) => {
                let (name, changer) = name_and_place(typed.first, typed.second)?;
                let name = name.unwrap_or_else(|| FIRST.to_owned());
                let what = NewLibrary::Scsi { changer };
                Ok(LibraryAddRequest { name, what })
            }
        }
    }
}

/// Of two words the first is a name; one alone is the place.
fn name_and_place(first: PathBuf, second: Option<PathBuf>) -> Result<(Option<String>, PathBuf), Problem> {
    match second {
        None => Ok((None, sendable(&first)?)),
        Some(place) => Ok((Some(in_utf8(&first)?.to_owned()), sendable(&place)?)),
    }
}

/// The name of a library that is only given its folder.
fn named_after(folder: &Path) -> Result<String, Problem> {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        let folder = folder.display().to_string();
        let message = format!("{folder} does not end in a name that the library could get; nothing was made");
        Problem::refused("no_name", folder, message).next("give it one: `respool library add virtual NAME DIR`")
    })
}

/// A path as respoold, which is elsewhere, is told it.
fn sendable(path: &Path) -> Result<PathBuf, Problem> {
    in_utf8(path)?;
    absolute(path)
}

fn in_utf8(path: &Path) -> Result<&str, Problem> {
    path.to_str().ok_or_else(|| {
        let shown = path.display().to_string();
        let message = format!("{shown} is not UTF-8; nothing was done");
        Problem::refused("not_utf8", shown, message).next("give it another name")
    })
}

impl Insert {
    async fn run(self, context: &Context) -> Done {
        let request = self.request()?;
        let doing = Doing {
            what: format!("copying {} into library {}", request.barcode, request.library),
            takes: "as long as its bytes take",
        };
        let tape: TapeView = patience::call(context, &doing, "/v1/library/insert", &request).await?;
        context.output.result(&tape, tape::one);
        Ok(exit::DONE)
    }

    fn request(self) -> Result<InsertRequest, Problem> {
        Ok(InsertRequest {
            library: self.which.library,
            cartridge: sendable(&self.cartridge)?,
            barcode: self.barcode,
            technology: self.technology,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Args, Verb, command};
    use clap::FromArgMatches;
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;

    fn parsed(words: &[&OsStr]) -> Result<Library, clap::Error> {
        let before = ["respool", "library"].map(OsString::from);
        let words = before.into_iter().chain(words.iter().map(OsString::from));
        let matches = command().try_get_matches_from(words)?;
        match Args::from_arg_matches(&matches)?.verb {
            Verb::Library(library) => Ok(library),
            other => panic!("{other:?}"),
        }
    }

    fn typed(words: &str) -> Result<Library, clap::Error> {
        parsed(&words.split_whitespace().map(OsStr::new).collect::<Vec<_>>())
    }

    fn asked(words: &str) -> LibraryAddRequest {
        match typed(words).unwrap() {
            Library::Add(add) => add.request().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn refused(add: Result<Library, clap::Error>) -> Problem {
        match add.unwrap() {
            Library::Add(add) => add.request().unwrap_err(),
            other => panic!("{other:?}"),
        }
    }

    /// E-11: one command makes a library known.
    #[test]
    fn a_virtual_library_is_asked_for_as_it_was_typed() {
        let wanted = LibraryAddRequest {
            name: "vault".to_owned(),
            what: NewLibrary::Virtual {
                folder: "/srv/tapes".into(),
                shape: VirtualShape {
                    drives: Some(2),
                    slots: Some(20),
                    mail_slots: Some(0),
                    cartridges: Some(5),
                    technology: Some("lto9".to_owned()),
                },
            },
        };
        let shape = "--drives 2 --slots 20 --mail-slots 0 --cartridges 5 --technology lto9";
        assert_eq!(asked(&format!("add virtual vault /srv/tapes {shape}")), wanted);
        assert_eq!(asked(&format!("add virtual vault {shape} /srv/tapes")), wanted);
        assert_eq!(asked(&format!("add virtual {shape} vault /srv/tapes")), wanted);
    }

    #[test]
    fn a_virtual_library_without_a_name_is_called_as_its_folder() {
        let asked = asked("add virtual /srv/tapes/");
        assert_eq!(asked.name, "tapes");
        let shape = VirtualShape::default();
        assert_eq!(
            asked.what,
            NewLibrary::Virtual {
                folder: "/srv/tapes/".into(),
                shape
            }
        );
        for nameless in ["/", "/srv/.."] {
            let problem = refused(typed(&format!("add virtual {nameless}")));
            assert_eq!((problem.exit, &*problem.code), (exit::REFUSED, "no_name"), "{nameless}");
        }
    }

    #[test]
    fn a_changer_without_a_name_is_lib0() {
        for (words, name) in [("/dev/sg2", "lib0"), ("big /dev/sg2", "big")] {
            let wanted = LibraryAddRequest {
                name: name.to_owned(),
                what: NewLibrary::Scsi {
                    changer: "/dev/sg2".into(),
                },
            };
            assert_eq!(asked(&format!("add scsi {words}")), wanted);
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let strange = OsStr::from_bytes(b"/srv/\xff");
        let [add, scsi, name] = ["virtual", "scsi", "/srv/tapes"].map(OsStr::new);
        for words in [&[add, strange][..], &[scsi, strange], &[add, strange, name]] {
            let problem = refused(parsed(&[&[OsStr::new("add")], words].concat()));
            assert_eq!((problem.exit, &*problem.code), (exit::REFUSED, "not_utf8"), "{words:?}");
        }
    }

    #[test]
    fn a_generation_is_sent_as_its_word_and_any_other_is_refused_with_the_list() {
        for (spelled, word) in [("lto9", "lto9"), ("LTO-9", "lto9"), ("Lto-7-M8", "lto7-m8")] {
            let words = format!("insert lib0 /c --barcode A00000L9 --technology {spelled}");
            let Library::Insert(insert) = typed(&words).unwrap() else {
                panic!("it is no insert")
            };
            assert_eq!(insert.request().unwrap().technology.as_deref(), Some(word));
        }
        for verb in ["add virtual /srv/tapes", "insert lib0 /c --barcode A00000L9"] {
            let error = typed(&format!("{verb} --technology dlt")).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(exit::REFUSED));
            let told = error.to_string();
            for (word, _) in TECHNOLOGIES {
                assert!(told.contains(word), "{told}");
            }
        }
    }

    #[test]
    fn a_library_has_a_drive_and_a_slot() {
        for words in ["--drives 0", "--slots 0", "--slots many", "--drives 65536"] {
            assert!(typed(&format!("add virtual /srv/tapes {words}")).is_err(), "{words}");
        }
    }
}

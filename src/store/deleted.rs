//! What is told of an object that cannot be had as it was asked for: when it was deleted and how to have it back, what
//! begins with its name where nothing is called so, and what is in the way of an undelete.

use crate::api::typed::Typed;
use crate::api::{Problem, objects};
use crate::host::Host;
use dss::catalogue::{CatalogueError, ObjectFilter};
use dss::model::{Object, Oid, Version};

/// Versions of one page.
const PAGE: u32 = 100;
/// So many objects below a name are counted.
const BELOW_MAX: usize = 100;

/// Why there is no live version of an object.
pub async fn or_deleted(host: &Host, oid: &Oid, error: CatalogueError) -> Problem {
    let CatalogueError::NotFound { what: "object", .. } = error else {
        return error.into();
    };
    // What failed first is told, whatever fails while more is looked for.
    if let Ok(Some(problem)) = deleted(host, oid).await {
        return problem;
    }
    match below(host, oid).await {
        Ok(Some(problem)) => problem,
        Ok(None) | Err(_) => error.into(),
    }
}

async fn deleted(host: &Host, oid: &Oid) -> Result<Option<Problem>, CatalogueError> {
    let versions = versions(host, oid).await?;
    let newest = versions
        .last()
        .and_then(|newest| Some((newest.version, newest.deleted_at?)));
    Ok(newest.map(|(version, at)| {
        let message = format!("object '{oid}' was deleted at {at}; its version {version} can still be had back");
        let undelete = Typed::verb("undelete").name(oid.as_str());
        Problem::refused("not_found", oid.as_str(), message).next(undelete.way("brings it back", "undelete it"))
    }))
}

/// Names are no folders, but those of files that were put with their folder look like it.
async fn below(host: &Host, oid: &Oid) -> Result<Option<Problem>, CatalogueError> {
    let filter = ObjectFilter {
        prefix: Some(format!("{oid}/")),
        deleted: false,
    };
    let most = u32::try_from(BELOW_MAX + 1).expect("it is small");
    let begin = match host.catalogue.list_objects(&filter, None, most).await?.len() {
        0 => return Ok(None),
        1 => "1 object begins".to_owned(),
        count @ ..=BELOW_MAX => format!("{count} objects begin"),
        _ => format!("more than {BELOW_MAX} objects begin"),
    };
    let message = format!("no object is called '{oid}'; {begin} with {oid}/");
    let list = Typed::verb("object list").option("--prefix", [format!("{oid}/")]);
    let get = Typed::verb("get").name(oid.as_str()).name("DIR").flags(["--recursive"]);
    let next = [
        list.way("shows them", "list the objects with that prefix"),
        get.way("reads them", "get that name with --recursive"),
    ];
    Ok(Some(
        Problem::refused("not_found", oid.as_str(), message).next(next.join(", ")),
    ))
}

/// Why nothing is undeleted.
pub async fn or_not_deleted(host: &Host, oid: &Oid, error: CatalogueError) -> Problem {
    let CatalogueError::Conflict { .. } = error else {
        return error.into();
    };
    // What failed first is told.
    let versions = versions(host, oid).await.unwrap_or_default();
    not_deleted(&versions).unwrap_or_else(|| error.into())
}

/// What is the case with a name that has a live version.
fn not_deleted(versions: &[Object]) -> Option<Problem> {
    let live = versions.iter().find(|object| object.deleted_at.is_none())?;
    let (oid, version) = (&live.oid, live.version);
    let get = Typed::verb("get").name(oid.as_str()).name("FILE");
    let others: Vec<&Object> = versions.iter().filter(|object| object.deleted_at.is_some()).collect();
    let (kept, next) = match others.last().and_then(|newest| Some((*newest, newest.deleted_at?))) {
        None => (
            "no older version of it is kept".to_owned(),
            get.way("reads it", "get it to read it"),
        ),
        Some((newest, at)) => {
            let ended = match objects::overwritten_by(newest, versions) {
                Some(by) => format!("was overwritten at {at} by version {by}"),
                None => format!("was deleted at {at}"),
            };
            let (count, newest) = (others.len(), newest.version);
            let kept = match count {
                1 => format!("its version {newest} {ended} and can still be read"),
                _ => format!("{count} others of its versions can still be read, the newest is {newest}, which {ended}"),
            };
            let get = get.option("--version", [newest.to_string()]);
            let put = Typed::verb("put").name("FILE").name(oid.as_str());
            let next = [
                get.way("reads that version", &format!("get it with --version {newest}")),
                put.flags(["--overwrite"])
                    .way("makes what was read the live one", "put what was read with --overwrite"),
            ];
            (kept, next.join(", "))
        }
    };
    let message = format!("object '{oid}' exists, as version {version}, and nothing was undeleted; {kept}");
    Some(Problem::refused("conflict", oid.as_str(), message).next(next))
}

/// The version that overwrote this one, if that is how it ended.
pub async fn overwritten_by(host: &Host, object: &Object) -> Result<Option<Version>, Problem> {
    let versions = versions(host, &object.oid).await?;
    Ok(objects::overwritten_by(object, &versions))
}

/// The versions of an object that were not purged, the newest last.
async fn versions(host: &Host, oid: &Oid) -> Result<Vec<Object>, CatalogueError> {
    let filter = ObjectFilter {
        prefix: Some(oid.to_string()),
        deleted: true,
    };
    let (mut versions, mut after) = (Vec::new(), None);
    loop {
        // A name comes before all that only begin so.
        let page = host.catalogue.list_objects(&filter, after, PAGE).await?;
        let count = page.len();
        let of_it = page.into_iter().map(|detail| detail.object);
        let of_it: Vec<Object> = of_it.take_while(|object| object.oid == *oid).collect();
        let goes_on = of_it.len() == count && count == PAGE as usize;
        after = of_it.last().map(|last| (last.oid.clone(), last.version));
        versions.extend(of_it);
        if !goes_on {
            return Ok(versions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{ByteCount, CopyNo, Metadata, ObjectId};
    use jiff::Timestamp;

    fn version(version: i32, created_at: i64, deleted_at: Option<i64>) -> Object {
        let at = |second| Timestamp::new(second, 0).unwrap();
        Object {
            id: ObjectId::fresh(),
            oid: Oid::new("a").unwrap(),
            version: Version(version),
            bytes: ByteCount(1),
            copies: CopyNo(1),
            grouping: None,
            metadata: Metadata::default(),
            created_at: at(created_at),
            deleted_at: deleted_at.map(at),
        }
    }

    #[test]
    fn of_an_object_that_exists_is_told_what_became_of_its_other_versions() {
        let told = |versions: &[Object]| not_deleted(versions).map(|problem| (problem.message, problem.next));
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[version(1, 10, Some(20))]), None, "it does not exist");
        let (message, next) = told(&[version(1, 10, None)]).unwrap();
        assert!(message.ends_with("; no older version of it is kept"), "{message}");
        assert_eq!(next, "`respool get a FILE` reads it");
        let (message, next) = told(&[version(1, 10, Some(20)), version(2, 20, None)]).unwrap();
        assert!(message.contains("exists, as version 2"), "{message}");
        assert!(message.contains("its version 1 was overwritten at 1970"), "{message}");
        assert!(next.starts_with("`respool get a FILE --version 1`"), "{next}");
        let three = [version(1, 10, Some(20)), version(2, 20, Some(30)), version(3, 40, None)];
        let (message, _) = told(&three).unwrap();
        assert!(message.contains("the newest is 2, which was deleted at"), "{message}");
    }

    #[test]
    fn a_name_stands_in_a_command_as_it_is_typed_or_in_none() {
        let told = |name: &str| {
            let object = Object {
                oid: Oid::new(name).unwrap(),
                ..version(1, 10, None)
            };
            not_deleted(&[object]).unwrap().next
        };
        assert_eq!(told("my photos; ls"), "`respool get 'my photos; ls' FILE` reads it");
        assert_eq!(told("-a"), "`respool get -- -a FILE` reads it");
        assert_eq!(told("a\tb"), "get it to read it");
    }
}

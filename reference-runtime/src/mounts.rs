//! `mounts`: what is planned before the first side effect, and how it is made.

pub(crate) mod apply;
pub(crate) mod attributes;
pub(crate) mod copy_up;
pub(crate) mod idmap;
pub(crate) mod label;
pub(crate) mod options;

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::id_mappings::Mappings;
use crate::log;
use crate::sys::files::cwd;
use crate::sys::mount::{self, AT_RECURSIVE};
use idmap::Prepared;
use options::Options;
use std::os::fd::OwnedFd;
use std::path::Path;

/// One entry of the list.
#[derive(Debug)]
pub(crate) struct Mount {
    /// Always seen from the container's root.
    pub(crate) destination: String,
    pub(crate) kind: String,
    /// As it was written; a bind mount's is resolved against the bundle.
    pub(crate) source: Option<String>,
    pub(crate) options: Options,
    /// The mapping of an idmapped mount.
    pub(crate) mappings: Option<Mappings>,
    /// The context that the root of the mount gets when it is made.
    pub(crate) root_label: Option<String>,
    pub(crate) pointer: String,
}

/// Reads the property. `user_mappings` are those of the container's user namespace, `label` is
/// the context that SELinux gives to the container's filesystems.
pub(crate) fn plan(
    config: &Node<'_>,
    bundle: &Path,
    user_mappings: Option<&Mappings>,
    label: Option<&str>,
) -> Result<Vec<Mount>> {
    config
        .objects("mounts")?
        .iter()
        .map(|entry| {
            let mut mount = plan_one(entry, bundle, user_mappings)?;
            if let Some(label) = label {
                label::give(&mut mount, label);
            }
            Ok(mount)
        })
        .collect()
}

fn plan_one(entry: &Node<'_>, bundle: &Path, user_mappings: Option<&Mappings>) -> Result<Mount> {
    let destination = entry.required("destination", entry.string("destination")?)?;
    if destination.is_empty() || destination.contains('\0') {
        return Err(entry.error("destination", format!("{destination:?} is not a path")));
    }
    let options = Options::parse(entry.strings("options")?.unwrap_or_default());
    let source = entry.string("source")?;
    let kind = entry.string("type")?;
    let source = match (&options.bind, source) {
        (Some(_), Some(source)) if !source.is_empty() => Some(
            bundle
                .join(source)
                .to_str()
                .map(str::to_owned)
                .ok_or_else(|| entry.error("source", "is not UTF-8"))?,
        ),
        (Some(_), _) => return Err(entry.error("source", "is required for a bind mount")),
        (None, source) => source.map(str::to_owned),
    };
    if options.bind.is_some() && !options.data.is_empty() {
        // As the kernel does, and engines leave words of their own in ("z").
        let pointer = entry.pointer_to("options");
        let words = options.text();
        log::warning(&format!(
            "{pointer}: {words} is for a filesystem, and a bind mount makes none: ignored"
        ));
    }
    let kind = match kind {
        Some(kind) => kind.to_owned(),
        None if options.bind.is_some() || options.remount => String::new(),
        None => return Err(entry.error("type", "is required for a mount that is no bind mount")),
    };
    Ok(Mount {
        destination: destination.to_owned(),
        kind,
        source,
        mappings: plan_mappings(entry, &options, user_mappings)?,
        root_label: None,
        options,
        pointer: entry.pointer(),
    })
}

fn plan_mappings(
    entry: &Node<'_>,
    options: &Options,
    user: Option<&Mappings>,
) -> Result<Option<Mappings>> {
    let own = Mappings::plan(entry)?;
    if own.uid.is_empty() != own.gid.is_empty() {
        let (given, other) = if own.gid.is_empty() {
            ("uidMappings", "gidMappings")
        } else {
            ("gidMappings", "uidMappings")
        };
        return Err(entry.error(given, format!("must be specified along with {other}")));
    }
    if !own.is_empty() {
        return Ok(Some(own));
    }
    match (options.idmap, user) {
        (None, _) => Ok(None),
        (Some(_), Some(user)) if !user.is_empty() => Ok(Some(user.clone())),
        (Some(_), _) => Err(entry.error(
            "options",
            "idmap needs uidMappings and gidMappings, of the mount or of a user namespace",
        )),
    }
}

/// The host's side of the mounts: detached copies of the trees that will be bound.
///
/// They are taken before the propagation of the container's own copy of the
/// mount table is changed, so that a bind mount can still be the peer of its source.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) root: OwnedFd,
    pub(crate) binds: Vec<Prepared>,
}

impl Sources {
    /// Takes the copies; `prepared` has what was made before, with more privilege.
    pub(crate) fn open(root: &Path, mounts: &[Mount], prepared: Vec<Prepared>) -> Result<Self> {
        let root = mount::clone_tree(cwd(), root.as_os_str(), AT_RECURSIVE)
            .call(|| format!("open_tree({root:?}, OPEN_TREE_CLONE | AT_RECURSIVE)"))
            .at("/root/path")?;
        let mut prepared = prepared.into_iter();
        let mut binds = Vec::with_capacity(mounts.len());
        for mount in mounts {
            binds.push(match prepared.next().unwrap_or_default() {
                Prepared::Nothing => open_bind(mount)?.map_or(Prepared::Nothing, Prepared::Tree),
                made => made,
            });
        }
        Ok(Sources { root, binds })
    }
}

/// The detached copy of a bind mount's source; None if the mount is of another kind.
pub(crate) fn open_bind(mount: &Mount) -> Result<Option<OwnedFd>> {
    // A remount changes what is there already.
    let (Some(recursive), Some(source), false) =
        (mount.options.bind, &mount.source, mount.options.remount)
    else {
        return Ok(None);
    };
    let flags = if recursive { AT_RECURSIVE } else { 0 };
    mount::clone_tree(cwd(), source.as_ref(), flags)
        .map(Some)
        .call(|| {
            format!(
                "open_tree({source:?}, OPEN_TREE_CLONE{})",
                if recursive { " | AT_RECURSIVE" } else { "" }
            )
        })
        .at(&mount.pointer)
}

/// A mount that failed, with the words of mount(2).
fn failed(mount: &Mount, error: &std::io::Error, complaint: Option<String>) -> Error {
    let source = mount.source.as_deref().unwrap_or("none");
    let call = format!(
        "mount({source:?}, {:?}, {:?}, {})",
        mount.destination,
        mount.kind,
        mount.options.text()
    );
    let error = match complaint.filter(|complaint| !complaint.is_empty()) {
        Some(complaint) => Error::call(format!("{call}: {complaint}"), error),
        None => Error::call(call, error),
    };
    error.at(&*mount.pointer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn one(entry: Value, user: Option<&Mappings>) -> Result<Mount> {
        plan_one(&Node::root(&entry).unwrap(), Path::new("/bundle"), user)
    }

    #[test]
    fn bind_sources_are_relative_to_the_bundle() {
        let relative = one(
            json!({"destination": "x", "source": "data", "options": ["bind"]}),
            None,
        )
        .unwrap();
        assert_eq!(relative.source.as_deref(), Some("/bundle/data"));
        let absolute = one(
            json!({"destination": "/x", "source": "/data", "options": ["rbind"]}),
            None,
        )
        .unwrap();
        assert_eq!(
            (absolute.source.as_deref(), absolute.options.bind),
            (Some("/data"), Some(true))
        );
        let dummy = one(
            json!({"destination": "/x", "source": "data", "type": "tmpfs"}),
            None,
        )
        .unwrap();
        assert_eq!(dummy.source.as_deref(), Some("data"));
    }

    #[test]
    fn what_cannot_be_mounted_is_refused() {
        let error = |entry| one(entry, None).unwrap_err().to_string();
        assert_eq!(error(json!({"type": "tmpfs"})), "/destination: is required");
        assert_eq!(
            error(json!({"destination": "/x"})),
            "/type: is required for a mount that is no bind mount"
        );
        assert_eq!(
            error(json!({"destination": "/x", "options": ["bind"]})),
            "/source: is required for a bind mount"
        );
    }

    #[test]
    fn idmap_takes_the_mounts_mapping_or_the_user_namespaces_or_fails() {
        let map = json!([{"containerID": 0, "hostID": 5, "size": 1}]);
        let bind = |extra: Value| {
            let mut entry =
                json!({"destination": "/x", "source": "/y", "options": ["bind", "idmap"]});
            entry
                .as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            entry
        };
        assert!(
            one(bind(json!({})), None)
                .unwrap_err()
                .to_string()
                .starts_with("/options: idmap needs")
        );
        let own = one(bind(json!({"uidMappings": map, "gidMappings": map})), None)
            .unwrap()
            .mappings
            .unwrap();
        assert_eq!(own.uid[0].host, 5);
        assert_eq!(
            one(bind(json!({})), Some(&own)).unwrap().mappings,
            Some(own)
        );
        let half = one(bind(json!({"uidMappings": map})), None)
            .unwrap_err()
            .to_string();
        assert_eq!(
            half,
            "/uidMappings: must be specified along with gidMappings"
        );
    }
}

//! `linux.intelRdt`: the container's class of service and its monitoring group in resctrl.
//!
//! A class that is named by `closID` is shared and stays. One that is named
//! after the container goes with it, and so does the monitoring group.

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const POINTER: &str = "/linux/intelRdt";
/// What resctrl itself has beside the classes.
const RESERVED: &[&str] = &["info", "mon_data", "mon_groups"];

/// What is planned for the container.
#[derive(Debug)]
pub(crate) struct IntelRdt {
    root: PathBuf,
    /// The directory of the class.
    class: PathBuf,
    /// Whether the class is named by `closID`, and not after the container.
    shared: bool,
    /// The class is missing, and may be made.
    make: bool,
    /// The lines for `schemata`, each with the property that asks for it.
    lines: Vec<(String, String)>,
    /// Those of them that a class which exists must have already.
    compared: usize,
    /// The directory of the monitoring group.
    monitoring: Option<PathBuf>,
}

/// Where a container is in resctrl.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Groups {
    pub(crate) class: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) monitoring: Option<PathBuf>,
}

impl IntelRdt {
    /// Reads the property. `root` is to be taken for the mounted resctrl.
    pub(crate) fn plan(
        linux: Option<&Node<'_>>,
        id: &str,
        root: Option<&Path>,
        version: (u64, u64),
    ) -> Result<Option<Self>> {
        let Some(linux) = linux else { return Ok(None) };
        let Some(node) = linux.object("intelRdt")? else {
            return Ok(None);
        };
        let (compared, lines) = plan_lines(&node)?;
        let named = node.string("closID")?;
        let name = named.unwrap_or(id);
        if named != Some("/")
            && (name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '\n', '\0']))
            || RESERVED.contains(&name)
        {
            let pointer = match named {
                Some(_) => node.pointer_to("closID"),
                None => node.pointer(),
            };
            let complaint = format!("{name:?} cannot name a class of service");
            return Err(Error::new(complaint).at(pointer));
        }
        let monitoring = monitored(&node, version)?;
        let root = match root {
            Some(root) => root.to_owned(),
            None => mounted().ok_or_else(|| {
                linux.error(
                    "intelRdt",
                    "no resctrl filesystem is mounted: it needs a processor with Intel RDT or AMD QoS, \
                     a kernel with CONFIG_X86_CPU_RESCTRL, and mount -t resctrl",
                )
            })?,
        };
        let class = match name {
            "/" => root.clone(),
            name => root.join(name),
        };
        let exists = class.is_dir();
        if !exists && named.is_some() && lines.is_empty() {
            return Err(node.error(
                "closID",
                format!("{class:?} does not exist, and there is no schema to make it with"),
            ));
        }
        let rdt = IntelRdt {
            monitoring: monitoring.then(|| class.join("mon_groups").join(id)),
            root,
            class,
            shared: named.is_some(),
            make: !exists,
            lines,
            compared,
        };
        if exists {
            rdt.compare()?;
        }
        Ok(Some(rdt))
    }

    /// What delete has to remove, before it is made: only what is not there now.
    pub(crate) fn planned(&self) -> Vec<PathBuf> {
        let class = (self.make && !self.shared).then(|| self.class.clone());
        let monitoring = self.monitoring.clone().filter(|path| !path.exists());
        class.into_iter().chain(monitoring).collect()
    }

    /// The directories that the commands to come ask for.
    pub(crate) fn groups(&self) -> Groups {
        Groups {
            class: self.class.clone(),
            monitoring: self.monitoring.clone(),
        }
    }

    /// Makes the directories and writes the schemata. Whatever it returns, `made` then has what was made.
    pub(crate) fn make(&self, made: &mut Vec<PathBuf>) -> Result<()> {
        if self.make {
            match fs::create_dir(&self.class) {
                // Somebody else has made it since the plan, with a schemata that may be another.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.compare()?,
                other => {
                    self.explain(other.call(|| format!("mkdir({:?})", self.class)))
                        .at(POINTER)?;
                    made.push(self.class.clone());
                }
            }
        }
        self.write_lines()?;
        if let Some(path) = &self.monitoring {
            self.explain(fs::create_dir(path).call(|| format!("mkdir({path:?})")))
                .at(&format!("{POINTER}/enableMonitoring"))?;
            made.push(path.clone());
        }
        Ok(())
    }

    /// Whether the runtime removes a directory of its making when the container is deleted.
    pub(crate) fn goes_with_container(&self, directory: &Path) -> bool {
        !self.shared || directory != self.class
    }

    /// Puts the container process into the class, and then into the monitoring group in it.
    pub(crate) fn enter(&self, pid: i32) -> Result<()> {
        for group in [Some(&self.class), self.monitoring.as_ref()]
            .into_iter()
            .flatten()
        {
            let path = group.join("tasks");
            let written = open(&path).and_then(|mut file| write!(file, "{pid}"));
            self.explain(written.call(|| format!("write({path:?}, \"{pid}\")")))
                .at(POINTER)?;
        }
        Ok(())
    }

    fn write_lines(&self) -> Result<()> {
        write_schemata(&self.root, &self.class, &self.lines)
    }

    /// `l3CacheSchema` and `memBwSchema` must be what a class that exists has.
    fn compare(&self) -> Result<()> {
        let path = self.class.join("schemata");
        if self.compared == 0 {
            return Ok(());
        }
        let text = fs::read_to_string(&path)
            .call(|| format!("read({path:?})"))
            .at(POINTER)?;
        for (line, pointer) in &self.lines[..self.compared] {
            if !holds(line, &text) {
                return Err(Error::new(format!(
                    "{line:?} is not what the existing {path:?} has: {:?}",
                    text.trim()
                ))
                .at(pointer.as_str()));
            }
        }
        Ok(())
    }

    fn explain<T>(&self, result: Result<T>) -> Result<T> {
        explain(&self.root, result)
    }
}

/// New schemas for a class that a container is in.
pub(crate) fn update(class: &Path, l3: Option<&str>, bandwidth: Option<&str>) -> Result<()> {
    let line = |name: &str, text: Option<&str>| {
        text.map(|text| (text.to_owned(), format!("{POINTER}/{name}")))
    };
    let lines: Vec<_> = [line("l3CacheSchema", l3), line("memBwSchema", bandwidth)]
        .into_iter()
        .flatten()
        .collect();
    // A class is a directory of the root, or the root itself.
    let root = if class.join("info").is_dir() {
        class
    } else {
        class.parent().unwrap_or(class)
    };
    write_schemata(root, class, &lines)
}

/// Removes a directory of resctrl, whose files go with it. Whoever is in it goes back to the class above.
pub(crate) fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A tree that is no resctrl has ordinary files.
        Err(error) if error.raw_os_error() == Some(libc::ENOTEMPTY) => {
            fs::remove_dir_all(directory).call(|| format!("rm -r {directory:?}"))
        }
        other => other.call(|| format!("rmdir({directory:?})")),
    }
}

/// How many of the lines are of `l3CacheSchema` and `memBwSchema`, and all lines in their order.
fn plan_lines(node: &Node<'_>) -> Result<(usize, Vec<(String, String)>)> {
    let present =
        |name| -> Result<Option<&str>> { Ok(node.string(name)?.filter(|text| !text.is_empty())) };
    let (l3, bandwidth) = (present("l3CacheSchema")?, present("memBwSchema")?);
    let mut lines = Vec::new();
    for line in l3.unwrap_or_default().lines() {
        // Before 1.3.0 it may have had such lines, which the other property overrides.
        let overridden = bandwidth.is_some() && line.starts_with("MB:");
        if !overridden && !line.is_empty() {
            lines.push((line.to_owned(), node.pointer_to("l3CacheSchema")));
        }
    }
    if let Some(bandwidth) = bandwidth {
        if !bandwidth.starts_with("MB:") || bandwidth.contains('\n') {
            let complaint = "must start with \"MB:\" and must not contain newlines";
            return Err(node.error("memBwSchema", complaint));
        }
        lines.push((bandwidth.to_owned(), node.pointer_to("memBwSchema")));
    }
    let compared = lines.len();
    let entries = node.strings("schemata")?.unwrap_or_default();
    for (index, line) in entries.into_iter().enumerate() {
        let pointer = format!("{}/{index}", node.pointer_to("schemata"));
        if line.contains('\n') || line.is_empty() {
            return Err(Error::new("must be one line").at(pointer));
        }
        lines.push((line.to_owned(), pointer));
    }
    Ok((compared, lines))
}

/// Whether a monitoring group is asked for; before 1.3.0 the two technologies that make one were named.
fn monitored(node: &Node<'_>, version: (u64, u64)) -> Result<bool> {
    let mut wanted = node.boolean("enableMonitoring")? == Some(true);
    if version < (1, 3) {
        for name in ["enableCMT", "enableMBM"] {
            wanted |= node.boolean(name)? == Some(true);
        }
    }
    Ok(wanted)
}

/// Where resctrl is mounted.
fn mounted() -> Option<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = table.lines().find(|line| line.contains(" - resctrl "))?;
    let target = line.split(' ').nth(4)?;
    Some(crate::sys::mount::unescape(target).into())
}

/// One write a line: the kernel judges each write for itself, and so the error is about this line.
fn write_schemata(root: &Path, class: &Path, lines: &[(String, String)]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let path = class.join("schemata");
    let mut file = open(&path)
        .call(|| format!("open({path:?}, O_WRONLY)"))
        .at(POINTER)?;
    for (line, pointer) in lines {
        let written = file.write_all(format!("{line}\n").as_bytes());
        explain(root, written.call(|| format!("write({path:?}, {line:?})"))).at(pointer)?;
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    // With O_CREAT for a tree that is no resctrl; there the files are always there.
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}

/// Adds what the kernel says about its refusal.
fn explain<T>(root: &Path, result: Result<T>) -> Result<T> {
    result.map_err(|error| {
        let status = fs::read_to_string(root.join("info/last_cmd_status")).unwrap_or_default();
        match status.trim() {
            "" | "ok" => error,
            status => Error::new(format!("{error} ({status})")),
        }
    })
}

/// Whether a schemata file has the values that a line asks for: `L3:0=7f0;1=1f`.
fn holds(line: &str, schemata: &str) -> bool {
    let Some((name, wanted)) = values(line) else {
        return false;
    };
    let found = schemata
        .lines()
        .filter_map(values)
        .find(|(found, _)| *found == name);
    found.is_some_and(|(_, found)| {
        wanted
            .iter()
            .all(|(id, value)| found.get(id) == Some(value))
    })
}

/// The name of a schema line, and its value for each domain. Bit masks lose their leading zeros.
fn values(line: &str) -> Option<(&str, BTreeMap<&str, &str>)> {
    let (name, list) = line.trim().split_once(':')?;
    let pairs = list.split(';').map(|pair| {
        let (domain, value) = pair.split_once('=')?;
        let value = value.trim();
        let plain = value.trim_start_matches('0');
        Some((domain.trim(), if plain.is_empty() { "0" } else { plain }))
    });
    Some((name, pairs.collect::<Option<_>>()?))
}

/// What `events` tells of a class: its schemas, and what its monitoring groups have counted.
pub(crate) fn statistics(groups: Option<&Groups>) -> serde_json::Value {
    let mut told = serde_json::Map::new();
    let Some(groups) = groups else {
        return told.into();
    };
    let schemata = fs::read_to_string(groups.class.join("schemata")).unwrap_or_default();
    for (prefix, name) in [("L3:", "l3_cache_schema"), ("MB:", "mem_bw_schema")] {
        if let Some(line) = schemata
            .lines()
            .find(|line| line.trim().starts_with(prefix))
        {
            told.insert(name.to_owned(), line.trim().into());
        }
    }
    let monitoring = groups.monitoring.as_ref();
    let counted = monitoring.map(|group| group.join("mon_data"));
    let mut domains: Vec<PathBuf> = counted
        .and_then(|path| fs::read_dir(path).ok())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    domains.sort();
    let numbers = |names: &[&str]| -> Vec<serde_json::Value> {
        let of = |domain: &PathBuf| {
            let present = names.iter().filter_map(|name| {
                let text = fs::read_to_string(domain.join(name)).ok()?;
                let number = text.trim().parse::<u64>().ok()?;
                Some(((*name).to_owned(), number.into()))
            });
            let object: serde_json::Map<_, _> = present.collect();
            (!object.is_empty()).then_some(object.into())
        };
        domains.iter().filter_map(of).collect()
    };
    for (name, files) in [
        ("mbm_stats", &["mbm_total_bytes", "mbm_local_bytes"][..]),
        ("cmt_stats", &["llc_occupancy"][..]),
    ] {
        let list = numbers(files);
        if !list.is_empty() {
            told.insert(name.to_owned(), list.into());
        }
    }
    told.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn tree(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("refrun-rdt-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("mon_groups")).unwrap();
        fs::create_dir_all(root.join("gold/mon_groups")).unwrap();
        fs::write(root.join("schemata"), "    L3:0=7ff;1=7ff\n    MB:0=100\n").unwrap();
        fs::write(
            root.join("gold/schemata"),
            "    L3:0=00f;1=7ff\n    MB:0= 20\n",
        )
        .unwrap();
        root
    }

    fn plan(rdt: Value, root: &Path) -> Result<IntelRdt> {
        let linux = json!({ "intelRdt": rdt });
        let node = Node::root(&linux).unwrap();
        IntelRdt::plan(Some(&node), "box", Some(root), (1, 3)).map(Option::unwrap)
    }

    #[test]
    fn a_class_that_exists_is_compared_and_one_that_is_missing_needs_a_schema() {
        let root = tree("compare");
        let same = json!({"closID": "gold", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"});
        assert!(plan(same, &root).unwrap().planned().is_empty());
        let error = |rdt: Value| plan(rdt, &root).unwrap_err().to_string();
        let other = error(json!({"closID": "gold", "l3CacheSchema": "L3:0=1"}));
        assert!(
            other.starts_with("/intelRdt/l3CacheSchema: \"L3:0=1\" is not what"),
            "{other}"
        );
        assert!(error(json!({"closID": "iron"})).contains("no schema to make it with"));
        for bad in ["", ".", "..", "a/b", "info", "mon_groups"] {
            assert!(
                error(json!({"closID": bad})).contains("cannot name a class"),
                "{bad}"
            );
        }
        assert!(error(json!({"memBwSchema": "L3:0=1"})).contains("must start with"));
        assert!(error(json!({"schemata": ["a\nb"]})).starts_with("/intelRdt/schemata/0: must be"));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn lines_are_written_in_their_order_and_only_what_is_the_containers_goes_with_it() {
        let root = tree("order");
        let rdt = json!({
            "schemata": ["L2:0=f"], "memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=f\nMB:0=70"
        });
        let own = plan(rdt.clone(), &root).unwrap();
        assert_eq!(own.planned(), [root.join("box")]);
        let mut made = Vec::new();
        own.make(&mut made).unwrap();
        assert_eq!(made, [root.join("box")]);
        let written = fs::read_to_string(root.join("box/schemata")).unwrap();
        assert_eq!(written, "L3:0=f\nMB:0=20\nL2:0=f\n");
        own.enter(42).unwrap();
        assert_eq!(fs::read_to_string(root.join("box/tasks")).unwrap(), "42");
        assert!(own.goes_with_container(&root.join("box")));

        let mut shared = rdt;
        shared["closID"] = json!("silver");
        let shared = plan(shared, &root).unwrap();
        assert!(shared.planned().is_empty());
        shared.make(&mut made).unwrap();
        assert!(!shared.goes_with_container(&root.join("silver")));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_default_class_is_the_root_and_a_monitoring_group_has_the_containers_name() {
        let root = tree("monitor");
        let rdt = plan(json!({"closID": "/", "enableMonitoring": true}), &root).unwrap();
        let group = root.join("mon_groups/box");
        assert_eq!(rdt.planned(), std::slice::from_ref(&group));
        let mut made = Vec::new();
        rdt.make(&mut made).unwrap();
        rdt.enter(7).unwrap();
        assert_eq!(fs::read_to_string(root.join("tasks")).unwrap(), "7");
        assert_eq!(fs::read_to_string(group.join("tasks")).unwrap(), "7");
        // Without a schema none is written.
        assert!(
            fs::read_to_string(root.join("schemata"))
                .unwrap()
                .contains("7ff")
        );
        // A second one of the name is an error.
        assert!(
            rdt.make(&mut made)
                .unwrap_err()
                .to_string()
                .contains("enableMonitoring")
        );
        remove(&group).unwrap();
        remove(&group).unwrap();
        assert!(!group.exists());
        let linux = json!({"intelRdt": {"enableCMT": true, "closID": "gold"}});
        let node = Node::root(&linux).unwrap();
        let of = |version| {
            let rdt = IntelRdt::plan(Some(&node), "box", Some(&root), version);
            rdt.unwrap().unwrap().monitoring.is_some()
        };
        assert!(of((1, 2)) && !of((1, 3)));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn counts_are_told_for_each_domain() {
        let root = tree("stats");
        let domain = root.join("gold/mon_data/mon_L3_00");
        fs::create_dir_all(&domain).unwrap();
        fs::write(domain.join("llc_occupancy"), "4096\n").unwrap();
        let gold = Groups {
            class: root.join("gold"),
            monitoring: Some(root.join("gold")),
        };
        let told = statistics(Some(&gold));
        assert_eq!(
            told,
            json!({"l3_cache_schema": "L3:0=00f;1=7ff", "mem_bw_schema": "MB:0= 20", "cmt_stats": [{"llc_occupancy": 4096}]})
        );
        assert_eq!(statistics(None), json!({}));
        fs::remove_dir_all(root).unwrap();
    }
}

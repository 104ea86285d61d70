//! `docs/lanes.md` has every case once, and on no lane that cannot meet its needs. On which lane a
//! case is judged is known only from runs there: `ci/lanes` writes the list from their results.

use std::collections::BTreeMap;
use std::path::Path;

use oci_conformance::case::{Case, Need};
use oci_conformance::cases;

/// The list's headings with the lanes that they stand for.
const HEADINGS: &[(&str, &[Lane])] = &[
    ("Everywhere", &[Lane::Host, Lane::Kernel, Lane::WithoutRoot]),
    (
        "With root, on the host and on the kernel lane",
        &[Lane::Host, Lane::Kernel],
    ),
    (
        "On the host, with and without root",
        &[Lane::Host, Lane::WithoutRoot],
    ),
    (
        "On the kernel lane, and without root",
        &[Lane::Kernel, Lane::WithoutRoot],
    ),
    ("Only on the host, with root", &[Lane::Host]),
    ("Only on the kernel lane", &[Lane::Kernel]),
    ("Only on the kernel lane with AppArmor", &[Lane::AppArmor]),
    ("Only without root", &[Lane::WithoutRoot]),
    ("On none", &[]),
];

#[derive(Clone, Copy, Debug)]
enum Lane {
    Host,
    Kernel,
    AppArmor,
    WithoutRoot,
}

impl Lane {
    /// Whether a host of this kind can never meet the need.
    fn lacks(self, need: Need) -> bool {
        match self {
            Lane::Host => matches!(need, Need::CgroupV2(_) | Need::AppArmorProfile(_)),
            Lane::Kernel => matches!(need, Need::CgroupV1(_) | Need::AppArmorProfile(_)),
            Lane::AppArmor => matches!(need, Need::CgroupV1(_)),
            Lane::WithoutRoot => matches!(
                need,
                Need::Root
                    | Need::UserMappings
                    | Need::IdmappedMounts
                    | Need::DeviceRules
                    | Need::Controller(_)
                    | Need::CgroupV1(_)
                    | Need::CgroupV2(_)
            ),
        }
    }
}

/// The page's list: case to heading.
fn listed(page: &str) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    let list = page.split("<!-- by ci/lanes: begin -->").nth(1).unwrap();
    for section in list.split("\n### ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap();
        let heading = heading.split(": ").next().unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let meant: Vec<&Case> = cases::all()
                .iter()
                .copied()
                .filter(|case| {
                    case.id == name || (name.ends_with('/') && case.id.starts_with(name))
                })
                .collect();
            assert!(!meant.is_empty(), "{name:?} under {heading:?} is no case");
            for case in meant {
                let before = found.insert(case.id, heading.to_owned());
                assert_eq!(before, None, "{} is under {heading:?} too", case.id);
            }
        }
    }
    found
}

#[test]
fn every_case_is_on_lanes_that_can_judge_it() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lanes.md");
    let listed = listed(&std::fs::read_to_string(page).unwrap());
    for case in cases::all() {
        let Some(heading) = listed.get(case.id) else {
            panic!(
                "docs/lanes.md lacks {}: run ci/lanes with results that have it, or put it where \
                 its needs say",
                case.id
            )
        };
        let lanes = HEADINGS.iter().find(|(title, _)| title == heading);
        let (_, lanes) = lanes.unwrap_or_else(|| panic!("{heading:?} is no heading of the list"));
        for lane in *lanes {
            let lacking = case.needs.iter().find(|need| lane.lacks(**need));
            assert_eq!(lacking, None, "{} on {lane:?}", case.id);
        }
    }
}

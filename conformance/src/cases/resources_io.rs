//! Limits on block devices, network priorities and huge pages.

use serde_json::json;

use super::limits::{
    Found, NOTHING, file_in_cgroup, hierarchy, kernel_has, limit, refusal, text_in_cgroup,
};
use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Stop, Trial};

const PAGE_SIZE: &str = "config-linux.resources.hugepageLimits.pageSize.unknown";
const HUGE_PAGES: &str = "config-linux.resources.hugepageLimits.effect";

/// Where limits go since 1.1.0, if the kernel has it.
const HUGE_RESERVED: &str = "config-linux.resources.hugepageLimits.rsvd";
/// Where they went before.
const HUGE_USED: &str = "config-linux.resources.hugepageLimits.usage";
const WEIGHT: &str = "config-linux.resources.blockIO.weight.effect";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "block-io/weight-is-set",
        judges: &[WEIGHT],
        needs: &[Need::Root, Need::SharedKernel],
        run: weight,
    },
    Case {
        id: "block-io/throttles-are-set",
        judges: &[
            "config-linux.resources.blockIO.throttleReadBpsDevice.effect",
            "config-linux.resources.blockIO.throttleWriteBpsDevice.effect",
            "config-linux.resources.blockIO.throttleReadIOPSDevice.effect",
            "config-linux.resources.blockIO.throttleWriteIOPSDevice.effect",
        ],
        needs: &[Need::Root, Need::SharedKernel, Need::Path("/sys/block")],
        run: throttles,
    },
    limit!(
        "network/class-id-is-set",
        "config-linux.resources.network.classID.effect",
        "net_cls",
        || json!({"network": {"classID": 1_048_577}}),
        Some((&["net_cls.classid"], Found::Text("1048577"))),
        None
    ),
    limit!(
        "network/priorities-are-set",
        "config-linux.resources.network.priorities.effect",
        "net_prio",
        || json!({"network": {"priorities": [{"name": "lo", "priority": 5}]}}),
        Some((&["net_prio.ifpriomap"], Found::Line("lo 5"))),
        None
    ),
    Case {
        id: "hugepages/limit-is-set",
        judges: &[HUGE_PAGES, HUGE_RESERVED, HUGE_USED],
        needs: &[
            Need::SharedKernel,
            Need::Controller("hugetlb"),
            Need::Path("/sys/kernel/mm/hugepages/hugepages-2048kB"),
        ],
        run: huge_pages,
    },
    Case {
        id: "hugepages/unknown-page-size-is-an-error",
        judges: &[PAGE_SIZE, HUGE_PAGES, NOTHING],
        needs: &[
            Need::Controller("hugetlb"),
            Need::Path("/sys/kernel/mm/hugepages/hugepages-2048kB"),
        ],
        run: |trial| {
            hierarchy(trial, "hugetlb")?;
            let limit = json!({"pageSize": "2MB", "limit": 6_291_456});
            trial.set("/linux/resources/hugepageLimits", json!([limit]));
            let refusal = refusal(PAGE_SIZE, HUGE_PAGES, "a page size of 3MB");
            trial.refuses(&refusal, |bundle| {
                bundle.set("/linux/resources/hugepageLimits/0/pageSize", "3MB");
            })
        },
    },
];

/// Kernels since 5.0 have the weight of the BFQ scheduler in another file, if at all. A runtime may
/// use that, or refuse what it cannot apply, but not say nothing.
fn weight(trial: &mut Trial) -> Result<(), Stop> {
    /// What every kernel and scheduler begins with, on the scale that files of v2 have too.
    const DEFAULT: u64 = 100;
    let (controller, files): (_, &[&str]) = match trial.host().cgroup() {
        "v2" => ("io", &["io.weight", "io.bfq.weight"]),
        _ => ("blkio", &["blkio.weight", "blkio.bfq.weight"]),
    };
    hierarchy(trial, controller)?;
    trial.set("/linux/resources/blockIO/weight", 321);
    trial.probe(&["pause"]);
    let exit = trial.create()?;
    if !exit.succeeded() {
        if kernel_has(trial, controller, &["blkio.weight"]).is_ok() && controller == "blkio" {
            return Err(Stop::Refused {
                operation: "create",
                exit: Box::new(exit),
            });
        }
        return Err(Stop::Inapplicable("a kernel with blkio.weight".into()));
    }
    trial.must_start()?;
    trial.wait_ready()?;
    let mut seen = Vec::new();
    for file in files {
        // "default 321" in files that may have lines of devices too.
        match file_in_cgroup(trial, controller, &[file]) {
            Ok(text) => seen.push(text),
            Err(Stop::Inapplicable(_)) => {}
            Err(other) => return Err(other),
        }
    }
    if seen.is_empty() {
        return Err(Stop::Inapplicable(format!(
            "a kernel with {}",
            files.join(" or ")
        )));
    }
    let number = |text: &String| {
        let first = text.lines().next()?;
        first.split_whitespace().last()?.parse::<u64>().ok()
    };
    let holds = seen
        .iter()
        .filter_map(number)
        .any(|weight| weight != DEFAULT);
    trial.expect_that(WEIGHT, holds, "a weight that is not the default, 100", seen)?;
    trial.finish()
}

fn throttles(trial: &mut Trial) -> Result<(), Stop> {
    /// Property, clause, rate, v1 file and v2 key.
    const ROWS: [(&str, &str, u64, &str, &str); 4] = [
        (
            "throttleReadBpsDevice",
            "config-linux.resources.blockIO.throttleReadBpsDevice.effect",
            2_097_152,
            "blkio.throttle.read_bps_device",
            "rbps",
        ),
        (
            "throttleWriteBpsDevice",
            "config-linux.resources.blockIO.throttleWriteBpsDevice.effect",
            3_145_728,
            "blkio.throttle.write_bps_device",
            "wbps",
        ),
        (
            "throttleReadIOPSDevice",
            "config-linux.resources.blockIO.throttleReadIOPSDevice.effect",
            400,
            "blkio.throttle.read_iops_device",
            "riops",
        ),
        (
            "throttleWriteIOPSDevice",
            "config-linux.resources.blockIO.throttleWriteIOPSDevice.effect",
            500,
            "blkio.throttle.write_iops_device",
            "wiops",
        ),
    ];
    let controller = if trial.host().cgroup() == "v2" {
        "io"
    } else {
        "blkio"
    };
    let unified = hierarchy(trial, controller)?;
    let Some((major, minor)) = a_block_device() else {
        return Err(Stop::Inapplicable("a block device".into()));
    };
    if !unified {
        kernel_has(trial, controller, &[ROWS[0].3])?;
    }
    for (property, _, rate, _, _) in ROWS {
        let entry = json!({"major": major, "minor": minor, "rate": rate});
        trial.set(
            &format!("/linux/resources/blockIO/{property}"),
            json!([entry]),
        );
    }
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let device = format!("{major}:{minor}");
    for (_, clause, rate, file, key) in ROWS {
        let (file, expected) = if unified {
            ("io.max", format!("{key}={rate}"))
        } else {
            (file, rate.to_string())
        };
        let text = file_in_cgroup(trial, controller, &[file])?;
        let of_device = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{device} ")));
        let holds = of_device.is_some_and(|line| line.split(' ').any(|word| word == expected));
        trial.expect_that(
            clause,
            holds,
            format!("{device} {expected} in {file}"),
            &text,
        )?;
    }
    trial.finish()
}

/// Numbers of some block device of the host.
pub(super) fn a_block_device() -> Option<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = std::fs::read_dir("/sys/block")
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let text = host::read(entry.path().join("dev"));
            let (major, minor) = text.trim().split_once(':')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().next()
}

fn huge_pages(trial: &mut Trial) -> Result<(), Stop> {
    let (reserved, used) = match hierarchy(trial, "hugetlb")? {
        true => ("hugetlb.2MB.rsvd.max", "hugetlb.2MB.max"),
        false => (
            "hugetlb.2MB.rsvd.limit_in_bytes",
            "hugetlb.2MB.limit_in_bytes",
        ),
    };
    let limit = json!({"pageSize": "2MB", "limit": 6_291_456});
    trial.set("/linux/resources/hugepageLimits", json!([limit]));
    let used = text_in_cgroup(trial, "hugetlb", &[used])?;
    // Linux before 5.7 does not account for reservations.
    let reserved = match file_in_cgroup(trial, "hugetlb", &[reserved]) {
        Ok(text) => Some(text),
        Err(Stop::Inapplicable(_)) => None,
        Err(other) => return Err(other),
    };
    let is_set = |text: &String| text.trim_end() == "6291456";
    let holds = is_set(&used) || reserved.as_ref().is_some_and(is_set);
    let seen = json!({"reserved": reserved, "used": used});
    trial.expect_that(HUGE_PAGES, holds, "6291456 for reservations or usage", seen)?;
    if let Some(text) = &reserved {
        trial.expect(HUGE_RESERVED, "6291456", text.trim_end())?;
    }
    trial.expect(HUGE_USED, "6291456", used.trim_end())?;
    trial.finish()
}

//! `linux.resources.hugepageLimits` (config-linux.md, Huge page limits).

use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::duplicates;
use crate::rules::resources::RESOURCES;

/// Rules about huge pages.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "hugepage-limits/page-size",
        clauses: &["config-linux.resources.hugepageLimits.pageSize.format"],
        page: "`pageSize` is a number with `KB`, `MB` or `GB` behind it, and is written as the \
               kernel writes it in the names of its files: `64KB`, `2MB`, `1GB`, in powers of \
               1024, with the largest unit that leaves a whole number. Sizes are powers of two.",
        accepts: &[resources!(
            r#"{"hugepageLimits": [{"pageSize": "64KB", "limit": 0}, {"pageSize": "2MB", "limit": 0}]}"#
        )],
        rejects: &[
            (
                resources!(r#"{"hugepageLimits": [{"pageSize": "2M", "limit": 0}]}"#),
                "/linux/resources/hugepageLimits/0/pageSize",
            ),
            (
                resources!(r#"{"hugepageLimits": [{"pageSize": "2048KB", "limit": 0}]}"#),
                "/linux/resources/hugepageLimits/0/pageSize",
            ),
            (
                resources!(r#"{"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}"#),
                "/linux/resources/hugepageLimits/0/pageSize",
            ),
        ],
        check: |context, found| {
            for entry in context.resources.get("hugepageLimits").items() {
                let size = entry.get("pageSize");
                let Some(text) = size.as_str() else { continue };
                let Some(kilobytes) = kilobytes(text) else {
                    found
                        .at(size, format!("{text:?} is no size of a huge page"))
                        .help("a number with KB, MB or GB behind it: `2MB`");
                    continue;
                };
                let kernel = spelling(kilobytes);
                if !kilobytes.is_power_of_two() {
                    found.at(
                        size,
                        format!("no kernel has huge pages of {text}: sizes are powers of two"),
                    );
                } else if kernel != text {
                    found
                        .at(size, format!("the kernel's files call this size {kernel}"))
                        .help(format!("`{kernel}`"))
                        .replace(size, format!("\"{kernel}\""));
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "hugepage-limits/unique",
        severity: Severity::Warning,
        source: "the hugetlb controller has one limit for each size: the last value written holds",
        page: "Two entries set the limit of one page size. One of them has no effect.",
        accepts: &[resources!(
            r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 0}, {"pageSize": "1GB", "limit": 0}]}"#
        )],
        rejects: &[(
            resources!(
                r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 0}, {"pageSize": "2MB", "limit": 4194304}]}"#
            ),
            "/linux/resources/hugepageLimits/1",
        )],
        check: |context, found| {
            let sizes = || {
                let entries = context.resources.get("hugepageLimits").items();
                entries.filter_map(|entry| Some((entry.get("pageSize").as_str()?, entry)))
            };
            duplicates(sizes, |size, first, again| {
                found
                    .at(again, format!("a second limit for pages of {size}"))
                    .related(first, "the first one");
            });
        },
        ..RESOURCES
    },
];

/// The size in units of 1024 bytes.
pub(super) fn kilobytes(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('B')?;
    let (digits, unit) = match digits.as_bytes().last()? {
        b'K' => (&digits[..digits.len() - 1], 1),
        b'M' => (&digits[..digits.len() - 1], 1024),
        b'G' => (&digits[..digits.len() - 1], 1024 * 1024),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// As the kernel writes it in the names of its files.
pub(super) fn spelling(kilobytes: u64) -> String {
    match kilobytes {
        1_048_576.. => format!("{}GB", kilobytes / 1_048_576),
        1024.. => format!("{}MB", kilobytes / 1024),
        _ => format!("{kilobytes}KB"),
    }
}

//! `solaris` (config-solaris.md; zonecfg(1M)).

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about the properties of zones, which are all strings.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "solaris/memory-size",
        severity: Severity::Warning,
        source: "config-solaris.md, cappedMemory: a number with a scale of K, M, G or T",
        page: "Sizes of memory are numbers in strings, with one letter for the scale behind them \
               where it is not bytes: `512m`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {"maxShmMemory": "512m", "cappedMemory": {"physical": "1.5G", "swap": "1048576"}}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {"maxShmMemory": "512MiB"}}"#,
                "/solaris/maxShmMemory",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {"cappedMemory": {"swap": "-1"}}}"#,
                "/solaris/cappedMemory/swap",
            ),
        ],
        check: |context, found| {
            let solaris = context.root.get("solaris");
            let memory = solaris.get("cappedMemory");
            for size in [
                solaris.get("maxShmMemory"),
                memory.get("physical"),
                memory.get("swap"),
            ] {
                if let Some(text) = size.as_str() {
                    let scales = ['k', 'K', 'm', 'M', 'g', 'G', 't', 'T'];
                    let number = text.strip_suffix(scales).unwrap_or(text);
                    if !is_decimal(number) {
                        found
                            .at(size, format!("{text:?} is no size of memory"))
                            .help("a number, and K, M, G or T behind it");
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "solaris/cpus-number",
        severity: Severity::Warning,
        source: "config-solaris.md, cappedCPU: a fraction or a mixed number",
        page: "`ncpus` is a number of CPUs in a string, with a fraction where it is not a whole \
               one: `1.25` is one CPU and a quarter.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {"cappedCPU": {"ncpus": ".75"}}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {"cappedCPU": {"ncpus": "75%"}}}"#,
            "/solaris/cappedCPU/ncpus",
        )],
        check: |context, found| {
            let cpus = context.root.get("solaris").get("cappedCPU").get("ncpus");
            if let Some(text) = cpus.as_str().filter(|text| !is_decimal(text)) {
                found
                    .at(cpus, format!("{text:?} is no number of CPUs"))
                    .help("such as `8` or `.75`");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "solaris/allowed-address-switch",
        severity: Severity::Warning,
        source: "config-solaris.md, anet: configureAllowedAddress is set to true or to false",
        page: "`configureAllowedAddress` is a string, and says `true` or `false`. It speaks of \
               `allowedAddress`, without which there is nothing to configure.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {"anet": [{"configureAllowedAddress": "true", "allowedAddress": "172.17.0.2/16"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {"anet": [{"configureAllowedAddress": "yes"}]}}"#,
            "/solaris/anet/0/configureAllowedAddress",
        )],
        check: |context, found| {
            for network in context.root.get("solaris").get("anet").items() {
                let switch: Value<'_> = network.get("configureAllowedAddress");
                if let Some(text) = switch.as_str()
                    && !matches!(text, "true" | "false")
                {
                    found
                        .at(switch, format!("{text:?} is neither true nor false"))
                        .help("`\"true\"` or `\"false\"`, in quotes");
                }
            }
        },
        ..Rule::SPEC
    },
];

/// Digits, with one dot among them or before them at most.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && !fraction.is_empty() && !text.is_empty()
}

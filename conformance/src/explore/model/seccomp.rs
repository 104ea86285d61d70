//! What config-linux.md says of seccomp: whether a call is let through, by its arguments.

use serde_json::{Value, json};

use super::{Expectation, Find, Must};
use crate::explore::surface::CALL;

/// Arguments that are tried in each place that a rule looks at.
const TRIED: [u64; 6] = [0, 1, 10, 11, (1 << 32) | 10, u64::MAX >> 1];

/// Names of the errnos that rules are drawn with.
const ERRNOS: [(u64, &str); 4] = [(1, "EPERM"), (2, "ENOENT"), (18, "EXDEV"), (38, "ENOSYS")];

pub(super) fn expectations(config: &Value) -> Vec<Expectation> {
    let rules = config
        .pointer("/linux/seccomp/syscalls")
        .and_then(Value::as_array);
    let Some(rules) = rules else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for tried in TRIED {
        // getpriority(PRIO_PROCESS, 0) succeeds for everybody.
        let arguments = [0, 0, tried, tried, tried, tried];
        let hits: Vec<&Value> = rules
            .iter()
            .filter(|rule| matches(rule, &arguments))
            .collect();
        let Some(must) = verdict(&hits) else {
            continue;
        };
        let clause = match hits.first() {
            None => "config-linux.seccomp.action.ALLOW.effect",
            Some(rule) if rule.get("errnoRet").is_some() => {
                "config-linux.seccomp.syscalls.errnoRet.effect"
            }
            Some(_) => "config-linux.seccomp.action.ERRNO.effect",
        };
        let words: Vec<String> = std::iter::once(CALL.to_owned())
            .chain(arguments.iter().map(u64::to_string))
            .collect();
        let what = words.join(" ");
        all.push(Expectation::new(clause, what, Find::Call(words), must));
    }
    all
}

/// What several rules for one call mean if their actions differ is not in the text: nothing is
/// expected then.
fn verdict(hits: &[&Value]) -> Option<Must> {
    let errno = |rule: &Value| rule.get("errnoRet").and_then(Value::as_u64).unwrap_or(1);
    let Some(first) = hits.first() else {
        return Some(Must::Be(json!("done")));
    };
    let number = errno(first);
    if hits.iter().any(|rule| errno(rule) != number) {
        return None;
    }
    let (_, name) = ERRNOS.iter().find(|(known, _)| *known == number)?;
    Some(Must::Be(json!({"errno": name})))
}

/// A rule matches if all of its comparisons do.
fn matches(rule: &Value, arguments: &[u64; 6]) -> bool {
    let list = rule.get("args").and_then(Value::as_array);
    list.into_iter().flatten().all(|comparison| {
        let number = |key: &str| comparison.get(key).and_then(Value::as_u64).unwrap_or(0);
        let argument = arguments[(number("index") as usize).min(5)];
        let value = number("value");
        match comparison["op"].as_str().unwrap_or_default() {
            "SCMP_CMP_EQ" => argument == value,
            "SCMP_CMP_NE" => argument != value,
            "SCMP_CMP_LT" => argument < value,
            "SCMP_CMP_LE" => argument <= value,
            "SCMP_CMP_GE" => argument >= value,
            "SCMP_CMP_GT" => argument > value,
            _ => argument & value == number("valueTwo"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_compares_whole_arguments_and_all_of_them() {
        let rule = |op: &str, value: u64, second: u64| json!({"args": [{"index": 2, "op": op, "value": value, "valueTwo": second}]});
        let with = |third: u64| [0, 0, third, 0, 0, 0];
        for (op, value, second, hit, miss) in [
            ("SCMP_CMP_EQ", 10, 0, 10, (1 << 32) | 10),
            ("SCMP_CMP_NE", 10, 0, (1 << 32) | 10, 10),
            ("SCMP_CMP_LT", 10, 0, 9, 10),
            ("SCMP_CMP_LE", 10, 0, 10, 11),
            ("SCMP_CMP_GE", 10, 0, 10, 9),
            ("SCMP_CMP_GT", 10, 0, 1 << 32, 10),
            ("SCMP_CMP_MASKED_EQ", 0xf0, 0x10, 0x1f, 0x2f),
        ] {
            assert!(matches(&rule(op, value, second), &with(hit)), "{op}");
            assert!(!matches(&rule(op, value, second), &with(miss)), "{op}");
        }
        let both = json!({"args": [
            {"index": 2, "op": "SCMP_CMP_EQ", "value": 1}, {"index": 3, "op": "SCMP_CMP_EQ", "value": 1}
        ]});
        assert!(!matches(&both, &with(1)));
    }

    #[test]
    fn rules_that_contradict_each_other_expect_nothing() {
        let two = [json!({"errnoRet": 2}), json!({})];
        assert_eq!(verdict(&[&two[0], &two[1]]), None);
        assert_eq!(
            verdict(&[&two[1]]),
            Some(Must::Be(json!({"errno": "EPERM"})))
        );
        assert_eq!(verdict(&[]), Some(Must::Be(json!("done"))));
    }
}

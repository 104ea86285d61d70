//! From rules to a program: for each architecture a balanced search over the numbers of its system
//! calls, with the conditions on arguments at its leaves.

use super::architectures::{Architecture, Call, X32_BIT};
use super::bpf::{Assembler, Place, Test};
use super::rule::{Condition, Operator, Rule};

// Where struct seccomp_data has its members.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

pub(crate) const KILL_THREAD: u32 = 0;

/// What happens to one system call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome<'a> {
    Always(u32),
    /// The first whose conditions all hold, else the default.
    First(Vec<(Conditions<'a>, u32)>, Words),
}

/// The conditions of a rule, or the one that a multiplexer is called for a certain function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conditions<'a> {
    All(&'a [Condition]),
    Function(Condition),
}

/// How an architecture holds an argument in the 64 bits of struct seccomp_data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Words {
    narrow: bool,
    big_endian: bool,
}

/// Compiles the rules; the error is the length of a program that is too long for the kernel.
pub(crate) fn compile(
    default: u32,
    rules: &[Rule<'_>],
    architectures: &[Architecture],
) -> Result<Vec<libc::sock_filter>, usize> {
    let rules = said(default, rules);
    let mut assembler = Assembler::default();
    // Whoever comes from an architecture without rules could get around those of the others.
    let mut entry = assembler.end(KILL_THREAD);
    let mut done: Vec<u32> = Vec::new();
    // Written from the end: the first architecture is asked for first.
    for architecture in architectures.iter().rev() {
        let audit = architecture.audit();
        if done.contains(&audit) {
            continue;
        }
        done.push(audit);
        let ranges = ranges(default, &rules, audit, architectures);
        let tree = search(&mut assembler, &ranges, default);
        let tree = assembler.load(NUMBER, tree);
        entry = assembler.branch(Test::Equal, audit, tree, entry);
    }
    let start = assembler.load(ARCHITECTURE, entry);
    assembler.finish(start)
}

/// Neighbouring numbers with one outcome: the first number of each range, in order. They cover all
/// numbers of the architectures that share a value of struct seccomp_data's arch.
fn ranges<'a>(
    default: u32,
    rules: &'a [Said<'_>],
    audit: u32,
    architectures: &[Architecture],
) -> Vec<(u32, Outcome<'a>)> {
    let mut outcomes = Vec::new();
    for architecture in architectures.iter().filter(|one| one.audit() == audit) {
        outcomes.extend(self::outcomes(rules, *architecture));
    }
    outcomes.sort_by_key(|(number, _)| *number);
    let mut ranges: Vec<(u32, Outcome<'a>)> = Vec::new();
    let mut push = |start: u32, outcome: Outcome<'a>| {
        if ranges.last().is_none_or(|(_, last)| *last != outcome) {
            ranges.push((start, outcome));
        }
    };
    let mut next = 0;
    for (number, outcome) in outcomes {
        if number > next {
            push(next, Outcome::Always(default));
        }
        push(number, outcome);
        next = number + 1;
    }
    push(next, Outcome::Always(default));
    if audit == Architecture::X32.audit() && !architectures.contains(&Architecture::X32) {
        push(X32_BIT, Outcome::Always(KILL_THREAD));
        // -1 is no system call: a tracer sets it to skip one.
        push(u32::MAX, Outcome::Always(default));
    }
    ranges
}

/// A rule that says something, with the calls that it names.
struct Said<'a> {
    rule: &'a Rule<'a>,
    calls: Vec<Call>,
}

/// As with libseccomp, a rule whose action is the default one says nothing.
fn said<'a>(default: u32, rules: &'a [Rule<'_>]) -> Vec<Said<'a>> {
    let say = |rule: &'a Rule<'_>| Said {
        rule,
        calls: rule.names.iter().map(|name| Call::named(name)).collect(),
    };
    rules
        .iter()
        .filter(|rule| rule.action != default)
        .map(say)
        .collect()
}

/// The outcome of each system call that a rule names, in no order.
///
/// As with libseccomp, a rule without conditions settles it, wherever it stands.
fn outcomes<'a>(rules: &'a [Said<'_>], architecture: Architecture) -> Vec<(u32, Outcome<'a>)> {
    let mut matches: Vec<(u32, Conditions<'a>, u32)> = Vec::new();
    for Said { rule, calls } in rules {
        for call in calls {
            if let Some(number) = architecture.number(call) {
                matches.extend(
                    rule.alternatives()
                        .map(|conditions| (number, Conditions::All(conditions), rule.action)),
                );
            }
            // The arguments are behind a pointer, so that only the whole function can be matched.
            if rule.conditions.is_empty()
                && let Some((multiplexer, function)) = architecture.multiplexed(call)
            {
                let condition = Condition {
                    index: 0,
                    operator: Operator::Equal,
                    value: function,
                    second: 0,
                };
                matches.push((multiplexer, Conditions::Function(condition), rule.action));
            }
        }
    }
    // Stable: the rules of one call stay in their order.
    matches.sort_by_key(|(number, _, _)| *number);
    let words = Words {
        narrow: architecture.is_narrow(),
        big_endian: architecture.is_big_endian(),
    };
    matches
        .chunk_by(|(one, _, _), (other, _, _)| one == other)
        .map(|rules| (rules[0].0, outcome(rules, words)))
        .collect()
}

fn outcome<'a>(rules: &[(u32, Conditions<'a>, u32)], words: Words) -> Outcome<'a> {
    let settled = rules
        .iter()
        .find(|(_, conditions, _)| *conditions == Conditions::All(&[]));
    match settled {
        Some((_, _, action)) => Outcome::Always(*action),
        None => Outcome::First(
            rules
                .iter()
                .map(|(_, conditions, action)| (*conditions, *action))
                .collect(),
            words,
        ),
    }
}

/// A binary search over the ranges; the accumulator holds the number.
fn search(assembler: &mut Assembler, ranges: &[(u32, Outcome<'_>)], default: u32) -> Place {
    if let [(_, outcome)] = ranges {
        return leaf(assembler, outcome, default);
    }
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let high = search(assembler, above, default);
    let low = search(assembler, below, default);
    assembler.branch(Test::GreaterOrEqual, above[0].0, high, low)
}

fn leaf(assembler: &mut Assembler, outcome: &Outcome<'_>, default: u32) -> Place {
    match outcome {
        Outcome::Always(action) => assembler.end(*action),
        Outcome::First(rules, words) => {
            let mut otherwise = assembler.end(default);
            for (conditions, action) in rules.iter().rev() {
                let mut holds = assembler.end(*action);
                let conditions = match conditions {
                    Conditions::All(conditions) => conditions,
                    Conditions::Function(condition) => std::slice::from_ref(condition),
                };
                for condition in conditions.iter().rev() {
                    holds = test(assembler, condition, *words, holds, otherwise);
                }
                otherwise = holds;
            }
            otherwise
        }
    }
}

/// Compares one argument: the low half of it, and before that the high half if there is one.
fn test(
    assembler: &mut Assembler,
    condition: &Condition,
    words: Words,
    yes: Place,
    no: Place,
) -> Place {
    let argument = ARGUMENTS + 8 * condition.index;
    let (high, low) = if words.big_endian {
        (argument, argument + 4)
    } else {
        (argument + 4, argument)
    };
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    let (value_high, value_low) = halves(condition.value);
    let (second_high, second_low) = halves(condition.second);
    let masked = |assembler: &mut Assembler, mask: u32, wanted: u32, yes: Place| {
        // As with libseccomp, bits of the second value outside the mask are not asked for.
        let next = assembler.branch(Test::Equal, wanted & mask, yes, no);
        assembler.and(mask, next)
    };
    let decided = match condition.operator {
        Operator::Equal => assembler.branch(Test::Equal, value_low, yes, no),
        Operator::NotEqual => assembler.branch(Test::Equal, value_low, no, yes),
        Operator::MaskedEqual => masked(assembler, value_low, second_low, yes),
        Operator::Greater => assembler.branch(Test::Greater, value_low, yes, no),
        Operator::GreaterOrEqual => assembler.branch(Test::GreaterOrEqual, value_low, yes, no),
        Operator::Less => assembler.branch(Test::GreaterOrEqual, value_low, no, yes),
        Operator::LessOrEqual => assembler.branch(Test::Greater, value_low, no, yes),
    };
    let low_half = assembler.load(low, decided);
    if words.narrow {
        return low_half;
    }
    let decided = match condition.operator {
        Operator::Equal => assembler.branch(Test::Equal, value_high, low_half, no),
        Operator::NotEqual => assembler.branch(Test::Equal, value_high, low_half, yes),
        Operator::MaskedEqual => masked(assembler, value_high, second_high, low_half),
        Operator::Greater | Operator::GreaterOrEqual => {
            decide_by_high(assembler, value_high, yes, no, low_half)
        }
        Operator::Less | Operator::LessOrEqual => {
            decide_by_high(assembler, value_high, no, yes, low_half)
        }
    };
    assembler.load(high, decided)
}

/// A greater or a smaller high half decides; an equal one leaves it to the low half.
fn decide_by_high(
    assembler: &mut Assembler,
    wanted: u32,
    greater: Place,
    smaller: Place,
    equal: Place,
) -> Place {
    let not_greater = assembler.branch(Test::Equal, wanted, equal, smaller);
    assembler.branch(Test::Greater, wanted, greater, not_greater)
}

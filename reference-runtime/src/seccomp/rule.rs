//! What a filter is made from: rules, each with conditions on the arguments.

/// What an argument is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The value is the mask, the second value what must be left.
    MaskedEqual,
}

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) index: u32,
    pub(crate) operator: Operator,
    pub(crate) value: u64,
    pub(crate) second: u64,
}

/// One entry of `syscalls`: an action for some names if all conditions hold.
#[derive(Debug, Clone)]
pub(crate) struct Rule<'a> {
    pub(crate) names: Vec<&'a str>,
    pub(crate) action: u32,
    pub(crate) conditions: Vec<Condition>,
}

impl Rule<'_> {
    /// The sets of conditions of which one must hold as a whole. Conditions on several arguments
    /// are one set; if two of them are about the same argument, then each is a set of its own,
    /// because that is how engines write "either this or that" and how runtimes have read it.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = &[Condition]> {
        let mut seen = 0u8;
        let repeated = self.conditions.iter().any(|condition| {
            let bit = 1u8 << (condition.index % 8);
            let again = seen & bit != 0;
            seen |= bit;
            again
        });
        let size = if repeated { 1 } else { self.conditions.len() };
        let whole = (size == 0).then_some(&[][..]);
        whole.into_iter().chain(self.conditions.chunks(size.max(1)))
    }
}

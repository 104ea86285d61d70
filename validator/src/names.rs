//! Tables of names that each string of a document is looked up in.

use std::collections::HashMap;

use oci_runtime_schemas::brief;

/// Names in a table that is made when the program is built. Looking one up takes some nanoseconds,
/// where a search by comparing strings takes ten times as long.
#[derive(Debug)]
pub(crate) struct Names<const N: usize> {
    /// By slot: one more than the place of a name, or 0. A name is in the first free slot from its own on.
    slots: [u8; SLOTS],
    briefs: [u64; N],
    names: [&'static str; N],
}

/// At most half of the slots are in use, so that chains are short.
const SLOTS: usize = 256;

/// The slot at which a name is looked for first.
const fn slot(brief: u64) -> usize {
    // The multiplier is that of Fibonacci hashing: the high bits depend on all of the low ones.
    (brief.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

impl<const N: usize> Names<N> {
    pub(crate) const fn new(names: [&'static str; N]) -> Names<N> {
        assert!(N <= SLOTS / 2);
        let mut slots = [0; SLOTS];
        let mut briefs = [0; N];
        let mut at = 0;
        while at < N {
            briefs[at] = brief(names[at].as_bytes());
            let mut free = slot(briefs[at]);
            while slots[free] != 0 {
                free = (free + 1) % SLOTS;
            }
            at += 1;
            slots[free] = at as u8;
        }
        Names {
            slots,
            briefs,
            names,
        }
    }

    /// Where a name stands.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        let short = brief(name.as_bytes());
        let mut at = slot(short);
        while let Some(place) = usize::from(self.slots[at]).checked_sub(1) {
            if self.briefs[place] == short && self.names[place] == name {
                return Some(place);
            }
            at = (at + 1) % SLOTS;
        }
        None
    }

    /// Whether it is one of the names.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.names.into_iter()
    }
}

/// A table of what a document has. The usual hashing of the standard library costs more than all
/// the rest of a rule; this one is seeded anew in each run too.
pub(crate) type Table<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        static NAMES: Names<4> = Names::new(["CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_TIME", "a"]);
        for (place, name) in NAMES.iter().enumerate() {
            assert_eq!(NAMES.place(name), Some(place));
        }
        for name in ["", "b", "CAP_SYS_TIMF", "CAP_SYS_NICE "] {
            assert!(!NAMES.has(name), "{name:?}");
        }
    }
}

//! Tables of names that each string of a document is looked up in.

use std::collections::HashMap;

use oci_runtime_schemas::brief;

/// Names, and their [`brief`] forms to compare first: looking one up among a few dozen takes some
/// nanoseconds, where a search by comparing strings takes ten times as long.
#[derive(Debug)]
pub(crate) struct Names<const N: usize> {
    briefs: [u64; N],
    names: [&'static str; N],
}

impl<const N: usize> Names<N> {
    pub(crate) const fn new(names: [&'static str; N]) -> Names<N> {
        let mut briefs = [0; N];
        let mut at = 0;
        while at < N {
            briefs[at] = brief(names[at].as_bytes());
            at += 1;
        }
        Names { briefs, names }
    }

    /// Where a name stands.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        let short = brief(name.as_bytes());
        let mut from = 0;
        while let Some(step) = self.briefs[from..].iter().position(|one| *one == short) {
            if self.names[from + step] == name {
                return Some(from + step);
            }
            from += step + 1;
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

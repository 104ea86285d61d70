//! The ids that someone may have meant.

/// Most ids that are suggested.
const MOST: usize = 5;

/// Ids that contain what was typed, then ids that differ from it by few letters, the nearest first.
pub(super) fn nearest<'a>(typed: &str, ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let typed = typed.to_lowercase();
    if typed.is_empty() {
        return Vec::new();
    }
    // A third of the letters wrong is as far as a guess goes.
    let farthest = (typed.chars().count() / 3).max(1);
    let mut found: Vec<((bool, usize), &str)> = ids
        .filter_map(|id| {
            let lower = id.to_lowercase();
            let contained = lower.contains(&typed);
            let distance = strsim::damerau_levenshtein(&typed, &lower);
            (contained || distance <= farthest).then_some(((distance > farthest, distance), id))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(MOST).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_come_first() {
        let ids = [
            "config.hostname.effect",
            "config.hostname.field",
            "hostname/is-set",
            "mounts/order",
        ];
        assert_eq!(
            nearest("hostname/is-st", ids.into_iter()),
            ["hostname/is-set"]
        );
        assert_eq!(
            nearest("hostname", ids.into_iter()),
            [
                "hostname/is-set",
                "config.hostname.field",
                "config.hostname.effect"
            ]
        );
        assert_eq!(
            nearest("config.hostnmae.efect", ids.into_iter()),
            ["config.hostname.effect", "config.hostname.field"]
        );
        assert!(nearest("zzz", ids.into_iter()).is_empty());
        assert!(nearest("", ids.into_iter()).is_empty());
    }
}

//! Whether what a complete reading did not show may be deleted: a pure decision. A listing that has lost
//! a part of itself, through a permission taken away or a filter that somebody set, looks just like
//! records that were deleted.

use crate::Vanished;

/// Whether so much has vanished that deletions have to wait: more than `percent` of what there was, over
/// and above what somebody has confirmed. A single record is never held.
#[must_use]
pub(crate) fn is_held(vanished: Vanished, percent: u32, confirmed: Option<u64>) -> bool {
    let Vanished { missing, of } = vanished;
    let unconfirmed = missing.saturating_sub(confirmed.unwrap_or(0));
    unconfirmed > 1 && u128::from(unconfirmed) * 100 > u128::from(of) * u128::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(missing: u64, of: u64, percent: u32) -> bool {
        is_held(Vanished { missing, of }, percent, None)
    }

    #[test]
    fn more_than_the_share_is_held_and_just_the_share_is_not() {
        assert!(!held(0, 0, 20) && !held(0, 10, 20));
        assert!(!held(200, 1_000, 20));
        assert!(held(201, 1_000, 20));
        assert!(held(1_000, 1_000, 20) && held(2, 2, 20));
        assert!(!held(1, 1, 20) && !held(1, 3, 20), "one may always go");
        assert!(!held(1_000, 1_000, 100), "with 100 percent nothing is held");
    }

    #[test]
    fn what_was_confirmed_goes_and_no_more_than_the_share_beside_it() {
        let vanished = |missing| Vanished { missing, of: 1_000 };
        assert!(!is_held(vanished(900), 20, Some(900)));
        assert!(!is_held(vanished(950), 0, Some(950)));
        assert!(!is_held(vanished(600), 20, Some(400)));
        assert!(is_held(vanished(601), 20, Some(400)));
    }
}

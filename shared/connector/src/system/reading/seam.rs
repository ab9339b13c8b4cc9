//! Pages by position, each of which begins with the last row of the page before: rows that vanish
//! meanwhile pull the later ones past the reader, and the seam shows it.

use serde::{Deserialize, Serialize};

/// Rows that are remembered of a page.
const ANCHORS: usize = 3;
/// How often a listing whose rows cannot be found again is read from its beginning. Then it is taken
/// as it comes.
const RESTARTS_MAX: u8 = 3;
/// How often a reading steps back in all. Then too the listing is taken as it comes: one whose order is
/// another with each request must come to an end.
const STEPS_BACK_MAX: u16 = 200;

/// A position in a listing, and the last rows before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seam {
    at: u64,
    anchors: Vec<String>,
    back: u8,
    restarts: u8,
    #[serde(default)]
    steps_back: u16,
}

impl Seam {
    /// The position at which the page begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// What tells it from others.
    pub fn sign(&self) -> String {
        format!("{}\n{}\n", self.at, self.anchors.join("\n"))
    }

    /// The position after a page with these rows; nothing when the listing ends with it. `goes_on` is
    /// whether it would go on if nothing has moved.
    pub fn next(&self, ids: &[String], size: u32, goes_on: bool) -> Option<Self> {
        let met = ids.iter().rposition(|id| self.anchors.contains(id));
        match met {
            // Nothing but the row that was read before.
            Some(_) if ids.len() == 1 => None,
            Some(_) => goes_on.then(|| self.onwards(ids)),
            None if self.anchors.is_empty() => {
                (goes_on && !ids.is_empty()).then(|| self.onwards(ids))
            }
            None if self.at > 0 => Some(self.backwards(size)),
            None => {
                let restarts = self.restarts + 1;
                let again = Self { restarts, steps_back: self.steps_back, ..Self::default() };
                (goes_on && !ids.is_empty()).then(|| again.onwards(ids))
            }
        }
    }

    /// The next page begins with the last row of this one. A page of one row would never get past it.
    fn onwards(&self, ids: &[String]) -> Self {
        let calm = self.restarts < RESTARTS_MAX && self.steps_back < STEPS_BACK_MAX;
        let watched = ids.len() > 1 && calm;
        let rest = if watched { ids.len() - 1 } else { ids.len() };
        let anchors = if watched { &ids[ids.len().saturating_sub(ANCHORS)..] } else { &[] };
        Self {
            at: self.at + rest as u64,
            anchors: anchors.to_vec(),
            back: 0,
            restarts: self.restarts,
            steps_back: self.steps_back,
        }
    }

    /// One page back, then two, then four.
    fn backwards(&self, size: u32) -> Self {
        let pages = 1_u64 << self.back.min(20);
        Self {
            at: self.at.saturating_sub(pages * u64::from(size)),
            back: self.back + 1,
            steps_back: self.steps_back + 1,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: u32 = 4;

    /// Reads a listing that `meddle` changes before each page; answers with what was read.
    fn read(
        mut rows: Vec<String>,
        pages_max: usize,
        mut meddle: impl FnMut(usize, &mut Vec<String>),
    ) -> Vec<String> {
        let (mut seam, mut read) = (Seam::default(), Vec::new());
        for page in 0..pages_max {
            meddle(page, &mut rows);
            let at = usize::try_from(seam.at()).unwrap().min(rows.len());
            let ids = rows[at..rows.len().min(at + SIZE as usize)].to_vec();
            let goes_on = !ids.is_empty();
            read.extend(ids.iter().cloned());
            match seam.next(&ids, SIZE, goes_on) {
                Some(next) => seam = next,
                None => return read,
            }
        }
        panic!("never ended: {seam:?}");
    }

    fn rows(count: usize) -> Vec<String> {
        (0..count).map(|row| format!("r{row:02}")).collect()
    }

    fn missing(all: &[String], read: &[String]) -> Vec<String> {
        all.iter().filter(|row| !read.contains(row)).cloned().collect()
    }

    #[test]
    fn every_row_is_read_however_many_there_are() {
        for count in 0..20 {
            assert_eq!(
                missing(&rows(count), &read(rows(count), 20, |_, _| {})),
                rows(0),
                "{count}"
            );
        }
    }

    #[test]
    fn rows_that_vanish_before_the_reader_hide_no_other() {
        let read = read(rows(20), 40, |page, rows| {
            if page == 2 {
                rows.drain(0..3);
            }
        });
        assert_eq!(missing(&rows(20), &read), rows(0));
    }

    #[test]
    fn when_the_last_rows_themselves_vanish_it_reads_from_the_beginning() {
        let read = read(rows(20), 40, |page, rows| {
            if page == 3 {
                rows.retain(|row| row.as_str() >= "r11");
            }
        });
        assert_eq!(missing(&rows(20)[11..], &read), rows(0));
    }

    #[test]
    fn rows_that_come_are_only_read_later() {
        let read = read(rows(20), 40, |page, rows| {
            if (1..4).contains(&page) {
                rows.insert(0, format!("new{page}"));
            }
        });
        assert_eq!(missing(&rows(20), &read), rows(0));
    }

    #[test]
    fn a_listing_in_turmoil_is_read_to_an_end_all_the_same() {
        let mut round = 0;
        read(rows(30), 200, |_, rows| {
            round += 1;
            for row in rows.iter_mut() {
                *row = format!("{row}x{round}");
            }
        });
    }

    #[test]
    fn a_listing_in_another_order_each_time_comes_to_an_end() {
        let mut turn = 0;
        read(rows(9), 2_000, |_, rows| {
            turn += 1;
            rows.rotate_left(turn * 7 % 5);
            rows.reverse();
        });
    }

    proptest! {
        #[test]
        fn no_row_that_stays_is_lost_while_others_come_and_go(
            gone in proptest::collection::vec((1_usize..8, 0_usize..24), 0..12),
            come in proptest::collection::vec((1_usize..8, 0_usize..24), 0..6),
        ) {
            let read = read(rows(24), 200, |page, rows| {
                for (when, which) in &gone {
                    if *when == page {
                        rows.retain(|row| *row != format!("r{which:02}"));
                    }
                }
                for (number, (_, place)) in
                    come.iter().enumerate().filter(|(_, (when, _))| *when == page)
                {
                    rows.insert(*place.min(&rows.len()), format!("new{number}"));
                }
            });
            let stays: Vec<String> = rows(24)
                .into_iter()
                .filter(|row| !gone.iter().any(|(_, which)| *row == format!("r{which:02}")))
                .collect();
            prop_assert_eq!(missing(&stays, &read), rows(0));
        }
    }
}

//! The data sets. Every value follows from a row's position, so that all sandboxes agree, a test can
//! count on it, and a million rows take no memory.

mod equipment;
mod goods;
mod orders;
mod people;
mod spot;
mod stock;
mod vendors;
mod work;
mod world;

use std::str::FromStr;

pub(super) use self::world::{Changes, World, changed_since, prefix};

/// What rows there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataSet {
    /// A bit of everything, with records in every state.
    #[default]
    Standard,
    /// The same with custom fields.
    CustomFields,
    /// Every order and work order is a draft.
    Draft,
    /// Every order and work order is approved.
    Approved,
    /// Every order and work order is done.
    Completed,
    /// Maintenance alone: work orders and what they need.
    WorkOrders,
    /// A warehouse alone: stock and what it needs.
    Stock,
    /// No vendor can be ordered from.
    InvalidVendor,
    /// Nothing is in stock.
    OutOfStock,
    /// As many orders as the setting `records` says, 100,000 unless it does.
    Huge,
    /// Nothing.
    Empty,
}

impl DataSet {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Standard,
        Self::CustomFields,
        Self::Draft,
        Self::Approved,
        Self::Completed,
        Self::WorkOrders,
        Self::Stock,
        Self::InvalidVendor,
        Self::OutOfStock,
        Self::Huge,
        Self::Empty,
    ];

    /// Its name in the setting `data` and among the scenarios.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::CustomFields => "custom-fields",
            Self::Draft => "draft",
            Self::Approved => "approved",
            Self::Completed => "completed",
            Self::WorkOrders => "work-orders",
            Self::Stock => "stock",
            Self::InvalidVendor => "invalid-vendor",
            Self::OutOfStock => "out-of-stock",
            Self::Huge => "huge",
            Self::Empty => "empty",
        }
    }
}

impl FromStr for DataSet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|set| set.as_str() == text).ok_or(())
    }
}

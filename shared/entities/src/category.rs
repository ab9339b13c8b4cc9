//! The kinds of systems that the entities come from.

/// A kind of system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Maintenance: EAM and CMMS.
    Eam,
    /// Enterprise resource planning.
    Erp,
    /// Warehouses.
    Wms,
    /// Discussion and support.
    Community,
}

impl Category {
    /// Every category there is.
    pub const ALL: [Self; 4] = [Self::Eam, Self::Erp, Self::Wms, Self::Community];

    /// Its name in schemas, manifests and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eam => "eam",
            Self::Erp => "erp",
            Self::Wms => "wms",
            Self::Community => "community",
        }
    }

    /// The category of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == name)
    }
}

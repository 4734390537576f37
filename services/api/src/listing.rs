//! Lists that come in pages: how many items are asked for, whether more may follow, and what can be wrong with the
//! question.

use std::ops::RangeInclusive;

use crate::{
    access::LookupError,
    error::{Problem, answers_as_problem},
    fields::{Fields, Invalid},
};

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

impl From<storage::Error> for ListError {
    fn from(error: storage::Error) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Invalid(invalid) => invalid.into(),
            ListError::Lookup(error) => error.into(),
        }
    }
}

answers_as_problem!(ListError);

/// How many items a page has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSize {
    /// When nobody says.
    pub(crate) usual: u32,
    pub(crate) most: u32,
}

impl PageSize {
    /// As `limit` says.
    pub(crate) fn read(self, fields: &Fields) -> Result<u32, Invalid> {
        let within: RangeInclusive<i64> = 1..=self.most.into();
        let limit = fields.optional_count("limit", within)?;
        Ok(limit.and_then(|limit| limit.try_into().ok()).unwrap_or(self.usual))
    }
}

/// The last item of a page that is full: only then may another page follow.
pub(crate) fn last_of_full<T>(items: &[T], limit: u32) -> Option<&T> {
    items.last().filter(|_| items.len() >= limit as usize)
}

//! `xmlns="w:g2"`: placeholder until groups are written.
use super::{Answer, Context, Login};
use wacore_binary::NodeRef;
pub(super) fn handle(_context: &Context<'_>, _login: &Login, _iq: &NodeRef<'_>) -> Answer { Answer::Unhandled }

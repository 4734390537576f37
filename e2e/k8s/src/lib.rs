//! The Helm chart and the gateway in a cluster, put to the test.
//!
//! - [`values`]: the chart's schema and README, from the comments in its `values.yaml`.
//! - [`helm`], [`chart`]: what real Helm makes of the chart, without a cluster.
//! - [`control_plane`], [`cluster`]: a real API server: installing and upgrading, rights, election, scaling. There is no
//!   node in it, so pods stay pending, and nothing that pods would do is tested here.

pub mod chart;
pub mod cluster;
pub mod control_plane;
pub mod helm;
pub mod manifests;
pub mod suite;
pub mod values;

//! Which pods go when the Deployment shrinks. Kubernetes takes those with the lowest deletion cost; the emptiest are
//! marked just before, so that the fewest sessions move.

use std::collections::HashMap;

/// A pod of the Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pod {
    pub name: String,
    /// Its deletion cost, as it stands there.
    pub cost: Option<String>,
    /// It is being stopped.
    pub leaving: bool,
}

/// A deletion cost to write, or to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub pod: String,
    pub cost: Option<&'static str>,
}

/// Below that of a pod without one, which is 0.
const GOES: &str = "-1";

/// What to write so that the `go` emptiest pods go first, and no others: marks of before are removed. A pod that has
/// registered no runner is empty.
pub(crate) fn changes(pods: &[Pod], held: &HashMap<String, u64>, go: usize) -> Vec<Change> {
    let mut ranked: Vec<&Pod> = pods.iter().collect();
    ranked.sort_by_key(|pod| (held.get(&pod.name).copied().unwrap_or(0), &pod.name));
    let wanted = ranked.into_iter().enumerate().map(|(rank, pod)| (pod, (rank < go).then_some(GOES)));
    // Marks go up before others come down: a process that dies in between leaves too many, not too few.
    let mut changes: Vec<Change> = wanted
        .filter(|(pod, cost)| pod.cost.as_deref() != *cost)
        .map(|(pod, cost)| Change { pod: pod.name.clone(), cost })
        .collect();
    changes.sort_by_key(|change| change.cost.is_none());
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pods, and what each costs or is to cost.
    type Costs = &'static [(&'static str, Option<&'static str>)];

    #[test]
    fn the_emptiest_are_marked_and_no_others() {
        let held = HashMap::from([("a".to_owned(), 30), ("b".to_owned(), 5), ("c".to_owned(), 0)]);
        // Pods with their costs, how many go, and what is written.
        let table: [(Costs, usize, Costs); 7] = [
            (&[("a", None), ("b", None), ("c", None)], 1, &[("c", Some("-1"))]),
            (&[("a", None), ("b", None), ("c", None)], 2, &[("c", Some("-1")), ("b", Some("-1"))]),
            (&[("a", None), ("b", None), ("c", Some("-1"))], 1, &[]),
            // Not registered yet: empty, and before others by its name.
            (&[("a", None), ("bb", None), ("c", None)], 1, &[("bb", Some("-1"))]),
            (&[("a", Some("-1")), ("b", None)], 1, &[("b", Some("-1")), ("a", None)]),
            (&[("a", None), ("b", Some("100"))], 0, &[("b", None)]),
            (&[], 1, &[]),
        ];
        for (pods, go, expected) in table {
            let pods: Vec<_> = pods
                .iter()
                .map(|(name, cost)| Pod {
                    name: (*name).to_owned(),
                    cost: cost.map(str::to_owned),
                    leaving: false,
                })
                .collect();
            let expected: Vec<_> =
                expected.iter().map(|(pod, cost)| Change { pod: (*pod).to_owned(), cost: *cost }).collect();
            assert_eq!(changes(&pods, &held, go), expected, "{pods:?}, {go}");
        }
    }
}

//! What a set of objects says.

use serde_json::Value;

/// The values of a list.
pub fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text in an object, empty when it is not there.
#[must_use]
pub fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The kind of an object.
#[must_use]
pub fn kind(object: &Value) -> &str {
    text(object, "/kind")
}

/// The name of an object.
#[must_use]
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The objects of a kind.
pub fn of_kind<'a>(objects: &'a [Value], wanted: &str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| kind(object) == wanted)
}

/// The object of this kind whose name ends so.
///
/// # Panics
/// When there is none.
#[must_use]
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub fn the<'a>(objects: &'a [Value], wanted: &str, ending: &str) -> &'a Value {
    of_kind(objects, wanted).find(|object| name(object).ends_with(ending)).expect("the chart makes it")
}

/// What pods are made from, with their labels: of everything that makes pods, and of pods themselves.
pub fn pod_templates(objects: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    objects.iter().filter_map(|object| match kind(object) {
        "Deployment" | "StatefulSet" | "Job" => object.pointer("/spec/template").map(|pod| (object, pod)),
        "Pod" => Some((object, object)),
        _ => None,
    })
}

/// Whether labels are what a selector asks for.
#[must_use]
pub fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
}

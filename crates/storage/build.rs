//! The migrations are embedded: build again when one changes.
fn main() {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "cargo:rerun-if-changed=../../migrations");
}

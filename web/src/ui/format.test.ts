import { describe, expect, it } from "vitest";
import { ago, bytes, countdown, duration, phone, span } from "./format";

const NOW = Date.parse("2026-11-22T12:00:00Z");

describe("ago", () => {
  it.each([
    ["2026-11-22T11:59:30Z", "just now"],
    ["2026-11-22T12:00:03Z", "just now"],
    ["2026-11-22T12:00:20Z", "in a moment"],
    ["2026-11-22T11:57:01Z", "2 minutes ago"],
    ["2026-11-21T11:00:00Z", "yesterday"],
    ["2026-11-22T12:45:00Z", "in 45 minutes"],
    ["2023-01-01T00:00:00Z", "3 years ago"],
  ])("%s is %s", (at, words) => expect(ago(at, NOW)).toBe(words));
});

it.each([
  [65, "1:05"],
  [0.2, "0:01"],
  [-3, "0:00"],
])("counts %d s down as %s", (seconds, words) => expect(countdown(seconds)).toBe(words));

it.each([
  [350.4, "350 ms"],
  [1249, "1.2 s"],
])("%d ms is %s", (ms, words) => expect(duration(ms)).toBe(words));

it.each([
  [999, "999 B"],
  [1_530, "1.5 kB"],
  [64_000_000, "64 MB"],
])("%d bytes are %s", (size, words) => expect(bytes(size)).toBe(words));

it.each([
  ["628110000001", "+628110000001"],
  ["628110000001:12@s.whatsapp.net", "+628110000001"],
  ["status", "status"],
])("the number of %s is %s", (id, words) => expect(phone(id)).toBe(words));

it.each([
  [400, "0 s"],
  [65_000, "1 min 5 s"],
  [3_600_000, "1 h"],
  [90_061_000, "1 d 1 h"],
])("%d ms last %s", (ms, words) => expect(span(ms)).toBe(words));

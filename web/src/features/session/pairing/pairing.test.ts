import { expect, it } from "vitest";
import { isLast, type Pairing, told, WAITING } from "./pairing";

const CODE: Pairing = { phase: "code", image: "data:old", expiresAt: 5 };
const qr = (more: object) => ({ event: "qr", data: { session: "shop", state: "pairing", ...more } });
const state = (state: string, reason?: string) => ({
  event: "state",
  data: { session: "shop", state, reason },
});

it.each([
  [
    "a code is shown with its end by the viewer's clock",
    WAITING,
    qr({ image: "data:a", expires_at: "1970-01-01T00:01:00Z" }),
    { phase: "code", image: "data:a", expiresAt: 59_000 },
  ],
  ["a code replaces the one before", CODE, qr({ image: "data:b" }), { phase: "code", image: "data:b" }],
  ["a repeated state leaves the code", CODE, state("pairing"), CODE],
  ["it connects while nothing is on offer", CODE, state("connecting"), WAITING],
  [
    "it is linked",
    CODE,
    { event: "linked", data: { number: "62811" } },
    { phase: "linked", number: "62811" },
  ],
  ["it was linked before", WAITING, state("connected"), { phase: "linked" }],
  [
    "nobody scanned",
    CODE,
    state("stopped", "nobody scanned"),
    { phase: "ended", state: "stopped", reason: "nobody scanned" },
  ],
  ["what cannot be read changes nothing for the worse", WAITING, { event: "state", data: null }, WAITING],
] as const)("%s", (_, before, event, after) => expect(told(before, event, 1000)).toMatchObject(after));

it("ends with the number, or when only another start leads on", () => {
  const events = [
    qr({ image: "data:a" }),
    state("connected"),
    { event: "linked", data: {} },
    state("stopped"),
  ];
  expect(events.map(isLast)).toEqual([false, false, true, true]);
});

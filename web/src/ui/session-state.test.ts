import { expect, it } from "vitest";
import { en } from "../texts/en";
import { adviceOf, toneOf, wordOf } from "./session-state";

it.each([
  ["connected", "good", "Connected"],
  ["reconnecting", "busy", "Reconnecting"],
  ["stopped", "off", "Stopped"],
  ["logged_out", "bad", "Logged out"],
  ["some_new_state", "bad", "some new state"],
])("%s looks %s and is called %s", (state, tone, word) => {
  expect([toneOf(state), wordOf(state)]).toEqual([tone, word]);
});

it("advises only when somebody is needed, in the gateway's words where there are none of ours", () => {
  const states = {
    connected: undefined,
    logged_out: en.states.advice.logged_out,
    new: en.states.adviceOtherwise,
  };
  for (const [state, advice] of Object.entries(states)) {
    expect(adviceOf({ state, needs_person: state !== "connected" })).toBe(advice);
  }
  expect(adviceOf({ state: "banned", needs_person: true, advice: "Wait." })).toBe(en.states.advice.banned);
  expect(adviceOf({ state: "new", needs_person: true, advice: "Wait." })).toBe("Wait.");
  expect(adviceOf({ state: "new", needs_person: false, advice: "Wait." })).toBeUndefined();
});

import { expect, it } from "vitest";
import type { LiveEvent } from "../../api/live";
import type { ListedSession } from "../../api/types";
import { changesOf, patched } from "./session-changes";

const row = (name: string): ListedSession => ({
  name,
  state: "connected",
  since: "2026-11-22T10:00:00Z",
  phone_number: null,
  sent_today: 1,
  received_today: 2,
  needs_person: false,
  advice: "old",
});

const pages = {
  pages: [{ data: [row("anna"), row("budi")] }, { data: [row("citra")] }],
  pageParams: [undefined, "next"],
};

const AT = 1_795_376_180;
const message = (session: string): LiveEvent => ({ event: "message", session, timestamp: AT });

it("changes the rows that something happened to, and no other", () => {
  const events: LiveEvent[] = [
    message("anna"),
    message("anna"),
    {
      event: "session",
      session: "anna",
      state: "logged_out",
      reason: "removed on the phone",
      needs_person: true,
      timestamp: AT,
      number: "62811",
    },
  ];
  const next = patched(pages, changesOf(events));
  expect(next.pages[0]?.data[0]).toMatchObject({
    state: "logged_out",
    reason: "removed on the phone",
    needs_person: true,
    advice: null,
    phone_number: "62811",
    received_today: 4,
    since: "2026-11-22T19:36:20.000Z",
    last_message_at: "2026-11-22T19:36:20.000Z",
  });
  expect(next.pages[0]?.data[1]).toBe(pages.pages[0]?.data[1]);
  expect(next.pages[1]).toBe(pages.pages[1]);
});

it("leaves everything as it is when nothing that is shown changed", () => {
  expect(patched(pages, changesOf([message("elsewhere"), { event: "again" }]))).toBe(pages);
});

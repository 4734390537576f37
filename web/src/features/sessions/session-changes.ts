import type { InfiniteData } from "@tanstack/react-query";
import type { LiveEvent } from "../../api/live";
import type { ListedSession, PageOf } from "../../api/types";

export type Pages = InfiniteData<PageOf<ListedSession>, unknown>;

/** What events change in a row. */
interface Change {
  state?: Partial<ListedSession>;
  received: number;
  lastMessageAt?: string;
}

/** A row with what happened to it. */
function changed(row: ListedSession, change: Change): ListedSession {
  return {
    ...row,
    ...change.state,
    received_today: row.received_today + change.received,
    last_message_at: change.lastMessageAt ?? row.last_message_at,
  };
}

/** What happened, by session; the names of sessions whose state was told are the keys. */
export function changesOf(events: LiveEvent[]): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const event of events) {
    if (event.event === "again") continue;
    const change = changes.get(event.session) ?? { received: 0 };
    changes.set(event.session, change);
    const at = new Date(event.timestamp * 1000).toISOString();
    if (event.event === "session") {
      const { state, reason, needs_person } = event;
      // Another state makes old advice wrong; the list's own is asked for soon.
      change.state = { ...change.state, state, reason, needs_person, advice: null, since: event.since ?? at };
      if (event.number) change.state.phone_number = event.number;
    } else if (event.event === "message") {
      change.received += 1;
      change.lastMessageAt = at;
    }
  }
  return changes;
}

/** The pages with what happened in them: rows that nothing happened to, and pages of such rows, stay the same objects. */
export function patched(pages: Pages, changes: Map<string, Change>): Pages {
  let any = false;
  const next = pages.pages.map((page) => {
    if (!page.data.some((row) => changes.has(row.name))) return page;
    any = true;
    const data = page.data.map((row) => {
      const change = changes.get(row.name);
      return change ? changed(row, change) : row;
    });
    return { ...page, data };
  });
  return any ? { ...pages, pages: next } : pages;
}

import { useThrottledCallback } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { type LiveEvent, useLive } from "../../api/live";
import { changesOf, type Pages, patched } from "./session-changes";

/** Everything that is asked about more than one session is kept below this key. */
export const SESSIONS_KEY = ["sessions"];

export const LIST_KEY = [...SESSIONS_KEY, "list"];

export const COUNTS_KEY = [...SESSIONS_KEY, "counts"];

/** Messages come by the thousand: a few drawings a second are enough. */
const GATHER_MS = 300;

/** How often to ask anew at most, when a thousand sessions change their states one after the other. */
const ASK_ANEW_MS = 3_000;

/** Keeps the lists of sessions current, in place; asks anew for what events do not tell. */
export function useLiveSessions(): void {
  const queries = useQueryClient();
  const waiting = useRef<LiveEvent[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const askForCounts = useThrottledCallback(
    () => void queries.invalidateQueries({ queryKey: COUNTS_KEY }),
    ASK_ANEW_MS,
  );
  const askForLists = useThrottledCallback(
    () => void queries.invalidateQueries({ queryKey: LIST_KEY }),
    ASK_ANEW_MS,
  );

  const apply = () => {
    timer.current = undefined;
    const events = waiting.current;
    waiting.current = [];
    const changes = changesOf(events);
    const known = new Set<string>();
    let complete = true;
    queries.setQueriesData<Pages>({ queryKey: LIST_KEY, type: "active" }, (lists) => {
      for (const page of lists?.pages ?? []) for (const row of page.data) known.add(row.name);
      if (lists?.pages.at(-1)?.next_cursor) complete = false;
      return lists && patched(lists, changes);
    });
    const states = [...changes].filter(([, change]) => change.state);
    if (states.length > 0) askForCounts();
    const again = events.some(({ event }) => event === "again");
    // Of a list that is shown in part, a session that is not in it may just not be shown yet.
    if (again || (complete && states.some(([name]) => !known.has(name)))) askForLists();
  };

  useEffect(() => () => clearTimeout(timer.current), []);
  useLive((event) => {
    waiting.current.push(event);
    timer.current ??= setTimeout(apply, GATHER_MS);
  });
}

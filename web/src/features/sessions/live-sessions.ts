import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { type LiveEvent, useLive } from "../../api/live";
import { changesOf, type Pages, patched } from "./session-changes";

export const SESSIONS_KEY = ["sessions"];

/** Messages come by the thousand: a few drawings a second are enough. */
const GATHER_MS = 300;

/** Keeps every list of sessions current, in place. */
export function useLiveSessions(): void {
  const queries = useQueryClient();
  const gathering = useMemo(() => {
    let waiting: LiveEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const apply = () => {
      timer = undefined;
      const changes = changesOf(waiting);
      const again = waiting.some((event) => event.event === "again");
      waiting = [];
      const known = new Set<string>();
      queries.setQueriesData<Pages>({ queryKey: SESSIONS_KEY }, (pages) => {
        for (const page of pages?.pages ?? []) for (const row of page.data) known.add(row.name);
        return pages && patched(pages, changes);
      });
      const isNew = [...changes].some(([name, change]) => change.state && !known.has(name));
      if (again || isNew) void queries.invalidateQueries({ queryKey: SESSIONS_KEY });
    };
    return {
      add(event: LiveEvent) {
        waiting.push(event);
        timer ??= setTimeout(apply, GATHER_MS);
      },
      end: () => clearTimeout(timer),
    };
  }, [queries]);
  useEffect(() => gathering.end, [gathering]);
  useLive(gathering.add);
}

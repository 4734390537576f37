import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { COUNTS_KEY, LIST_KEY } from "./live-sessions";
import type { SessionsFilter } from "./routes";

const PAGE = 200;

/** What no event tells, such as messages that were sent, is looked at again this often. */
const LOOK_AGAIN_MS = 30_000;

/** When today began where the reader is. */
function midnight(): string {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate()).toISOString();
}

export const sessionsQuery = (filter: SessionsFilter) =>
  infiniteQueryOptions({
    queryKey: [...LIST_KEY, filter],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...filter, today_from: midnight(), limit: PAGE, cursor: pageParam };
      return ask(api.GET("/sessions", { params: { query }, signal }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: LOOK_AGAIN_MS,
  });

/** A state that stands for all in which somebody must act. */
export const NEEDS_PERSON = "needs_person";

export interface Counts {
  all: number;
  connected: number;
  needsPerson: number;
}

/** How many there are in all, whatever the list is filtered by. */
export const countsQuery = queryOptions({
  queryKey: COUNTS_KEY,
  queryFn: async ({ signal }): Promise<Counts> => {
    const count = async (state?: string) =>
      (await ask(api.GET("/sessions", { params: { query: { state, limit: 1 } }, signal }))).total;
    const [all, connected, needsPerson] = await Promise.all([
      count(),
      count("connected"),
      count(NEEDS_PERSON),
    ]);
    return { all, connected, needsPerson };
  },
  refetchInterval: LOOK_AGAIN_MS,
});

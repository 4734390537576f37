import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { SESSIONS_KEY } from "./live-sessions";
import type { SessionsFilter } from "./routes";

const PAGE = 200;

/** What no event tells, such as messages that were sent, is looked at again this often. */
const LOOK_AGAIN_MS = 30_000;

export const sessionsQuery = (filter: SessionsFilter) =>
  infiniteQueryOptions({
    queryKey: [...SESSIONS_KEY, filter],
    queryFn: ({ pageParam, signal }) =>
      ask(api.GET("/sessions", { params: { query: { ...filter, limit: PAGE, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: LOOK_AGAIN_MS,
  });

import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, ask } from "../../../api/client";
import type { MessagesFilter } from "../routes";
import { sessionKey } from "../session-query";

const PAGE = 50;

/** How far messages have come is told by no event: looked at again this often. */
const LOOK_AGAIN_MS = 10_000;

export const messagesQuery = (name: string, filter: MessagesFilter) =>
  infiniteQueryOptions({
    queryKey: [...sessionKey(name), "messages", filter],
    queryFn: ({ pageParam, signal }) => {
      const params = { path: { name }, query: { ...filter, limit: PAGE, cursor: pageParam } };
      return ask(api.GET("/session/{name}/messages", { params, signal }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // Many pages are not asked for again and again: the newest change, and they are on the first.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 3 ? false : LOOK_AGAIN_MS),
  });

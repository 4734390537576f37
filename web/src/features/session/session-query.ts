import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "../../api/client";

/** Everything that is asked about one session is kept below this key. */
export const sessionKey = (name: string) => ["session", name];

/** What no event tells is looked at again this often. */
const LOOK_AGAIN_MS = 30_000;

export const sessionQuery = (name: string) =>
  queryOptions({
    queryKey: [...sessionKey(name), "itself"],
    queryFn: async ({ signal }) =>
      (await ask(api.GET("/session/{name}", { params: { path: { name } }, signal }))).data,
    refetchInterval: LOOK_AGAIN_MS,
  });

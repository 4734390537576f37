import { queryOptions, useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import type { Me } from "../../api/types";

/** Who is logged in. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }): Promise<Me> => (await ask(api.GET("/auth/me", { signal }))).data,
  staleTime: 60_000,
});

export const useMe = () => useQuery(meQuery);

/** The same, for what is shown only to somebody who is logged in. */
export const useLoggedIn = (): Me => useSuspenseQuery(meQuery).data;

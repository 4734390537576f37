import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import type { components } from "../../api/schema";

export type User = components["schemas"]["User"];

export const usersQuery = queryOptions({
  queryKey: ["users"],
  queryFn: async ({ signal }): Promise<User[]> => (await ask(api.GET("/admin/users", { signal }))).data,
});

/** When a user was made: the API says it in UTC, without a zone. */
export const createdAt = (user: User): string => `${user.created_at.replace(" ", "T")}Z`;

import { api, ask } from "../../api/client";

/** One of `GET /admin/runners`, which `openapi.json` calls an object. */
export interface Runner {
  id: string;
  name: string;
  version: string;
  sessions: number;
  capacity: number;
  draining: boolean;
  lease_seconds_left: number;
  started_at: string;
}

export const runnersQuery = {
  queryKey: ["runners"],
  queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Runner[]> =>
    ((await ask(api.GET("/admin/runners", { signal }))) as { data: Runner[] }).data,
  refetchInterval: 2_000,
};

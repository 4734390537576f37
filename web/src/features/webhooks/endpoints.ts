import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import type { components } from "../../api/schema";

/** What `openapi.json` does not say of endpoints yet. */
interface Health {
  delivered_24h: number;
  failed_24h: number;
  dead: number;
  oldest_due_at?: string | null;
  last_answer?: { at: string; status?: number | null; error?: string | null; duration_ms: number } | null;
}

export type Endpoint = components["schemas"]["EndpointBody"] & { health?: Health };

/** The events that an endpoint can hear of. */
export const EVENTS = ["message", "session", "receipt"] as const;

/** The user's endpoints, and how they have been lately. */
export const endpointsQuery = queryOptions({
  queryKey: ["endpoints"],
  queryFn: async ({ signal }): Promise<Endpoint[]> =>
    (await ask(api.GET("/webhook/endpoints", { signal }))).data,
  refetchInterval: 5_000,
});

/** How an endpoint is, in one word. */
export function condition(endpoint: Endpoint): "enabled" | "failing" | "disabled" {
  if (!endpoint.enabled) return "disabled";
  const state = endpoint.last_delivery?.state;
  const status = endpoint.health?.last_answer ? (endpoint.health.last_answer.status ?? 0) : undefined;
  const failed = status === undefined ? state === "dead" : status < 200 || status > 299;
  return failed ? "failing" : "enabled";
}

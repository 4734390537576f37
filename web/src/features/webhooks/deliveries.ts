import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import type { components } from "../../api/schema";
import type { Tone } from "../../ui/page";
import type { DeliveryFilter } from "./routes";

export type Delivery = components["schemas"]["DeliveryBody"];

const PAGE = 100;
const LOOK_AGAIN_MS = 5_000;

/** Deliveries, the newest first, page by page. The first page follows what happens. */
export const deliveriesQuery = (filter: DeliveryFilter) =>
  infiniteQueryOptions({
    queryKey: ["deliveries", filter],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...filter, limit: PAGE, cursor: pageParam };
      return ask(api.GET("/webhook/deliveries", { params: { query }, signal }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    // Asking for all pages again and again would be much for somebody who reads far down.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) <= 1 ? LOOK_AGAIN_MS : false),
  });

/** How it looks; what waits after a failure is not like what waits for its first attempt. */
export function tone(delivery: Delivery): Tone {
  if (delivery.state === "delivered") return "good";
  return delivery.state === "dead" ? "bad" : "busy";
}

/** Replays one. */
export const replay = (id: string) =>
  ask(api.POST("/webhook/deliveries/{id}/replay", { params: { path: { id } } }));

/** Replays all that were given up and match; resolves to how many. */
export async function replayAll(filter: DeliveryFilter): Promise<number> {
  const { endpoint, session } = filter;
  let total = 0;
  let more = true;
  while (more) {
    const body = { state: "dead", endpoint, session };
    const { data } = await ask(api.POST("/webhook/deliveries/replay", { body }));
    total += data.replayed;
    more = data.more && data.replayed > 0;
  }
  return total;
}

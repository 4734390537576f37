import { createStore } from "./store";

/** Says that no pop-up for a password is wanted. */
export const DASHBOARD_HEADERS = { "X-Requested-With": "dashboard" };

/** How the gateway answers at the moment, for the notice that every page shows. */
export type Connection = "ok" | "slow" | "unreachable";

export const connection = createStore<Connection>("ok");

/** The cookie of somebody who was logged in is worth nothing any more. */
export const loggedOut = createStore(false);

/** A request that takes longer than this is called slow. */
const SLOW_MS = 4_000;

const GIVE_UP_MS = 30_000;

let slow = 0;

/** Statuses of a proxy whose gateway is away. */
const AWAY = [502, 503, 504];

/** `fetch` that notices when the gateway is slow, away, or wants a new log-in, and that ends by itself. */
export async function watchedFetch(request: Request): Promise<Response> {
  let counted = false;
  const timer = setTimeout(() => {
    counted = true;
    slow += 1;
    if (connection.get() === "ok") connection.set("slow");
  }, SLOW_MS);
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(GIVE_UP_MS)]);
  try {
    const response = await fetch(request, { signal });
    noticeAnswer(response);
    return response;
  } catch (error) {
    if (!request.signal.aborted) connection.set("unreachable");
    throw error;
  } finally {
    clearTimeout(timer);
    if (counted) slow -= 1;
    if (slow === 0 && connection.get() === "slow") connection.set("ok");
  }
}

/** Also for answers that did not come through `watchedFetch`: uploads, streams. */
export function noticeAnswer(response: Pick<Response, "status" | "headers">): void {
  if (response.status === 401) loggedOut.set(true);
  // The gateway's own refusals are JSON; a proxy's page is not.
  const json = response.headers.get("content-type")?.includes("json") ?? false;
  if (AWAY.includes(response.status) && !json) connection.set("unreachable");
  else connection.set(slow > 0 ? "slow" : "ok");
}

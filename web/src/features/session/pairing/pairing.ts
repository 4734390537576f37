import type { Problem } from "../../../api/problem";
import type { StreamEvent } from "../../../api/stream";

/** How the linking of a number stands. */
export type Pairing =
  | { phase: "waiting"; lost?: Problem }
  | { phase: "code"; image: string; expiresAt?: number; lost?: Problem }
  | { phase: "linked"; number?: string }
  | { phase: "ended"; state: string; reason?: string }
  | { phase: "refused"; problem: Problem };

export const WAITING: Pairing = { phase: "waiting" };

/** From these only another start leads on. */
const ENDS = ["stopped", "logged_out", "replaced", "banned", "outdated"];

interface Told {
  state?: unknown;
  image?: unknown;
  expires_at?: unknown;
  reason?: unknown;
  number?: unknown;
}

const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);

/** What an event of `/qr/events` makes of it. `skew` is how much the viewer's clock is behind the gateway's. */
export function told(before: Pairing, { event, data }: StreamEvent, skew: number): Pairing {
  const { state, image, expires_at, reason, number } = (data ?? {}) as Told;
  if (event === "linked") return { phase: "linked", number: text(number) };
  const now = text(state);
  if (now === "connected") return { phase: "linked" };
  if (now && ENDS.includes(now)) return { phase: "ended", state: now, reason: text(reason) };
  const code = text(image);
  if (code) {
    const end = Date.parse(text(expires_at) ?? "");
    return { phase: "code", image: code, expiresAt: Number.isNaN(end) ? undefined : end - skew };
  }
  // A state without a code: the one on show may still be good.
  return before.phase === "code" && now === "pairing" ? { ...before, lost: undefined } : WAITING;
}

/** Nothing comes after this event. After the state "connected" there does: which number it is. */
export const isLast = (event: StreamEvent): boolean =>
  event.event === "linked" || told(WAITING, event, 0).phase === "ended";

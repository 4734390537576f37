import { useEffect, useEffectEvent } from "react";
import { apiUrl } from "../base";
import { connection, loggedOut, noticeAnswer } from "./connection";
import { follow, type StreamEvent } from "./stream";

/** What `GET /events` tells of a session. */
export interface SessionEvent {
  session: string;
  state: string;
  reason?: string | null;
  needs_person: boolean;
  /** Seconds since 1970. */
  timestamp: number;
  since?: string;
  number?: string | null;
}

/** What `GET /events` tells of a message that came in, or of what became of one that was sent. */
export interface MessageEvent {
  session: string;
  timestamp: number;
}

export type LiveEvent =
  | ({ event: "session" } & SessionEvent)
  | ({ event: "message" | "receipt" } & MessageEvent)
  /** Something may have been missed: look at everything again. */
  | { event: "again" };

type Listener = (event: LiveEvent) => void;

/** Browsers keep few connections to a host: a page that nobody looks at gives its own back after a while. */
const HIDDEN_MS = 60_000;

const listeners = new Set<Listener>();
let running: AbortController | undefined;
let hiding: ReturnType<typeof setTimeout> | undefined;
let missed = false;

const tell = (event: LiveEvent) => {
  for (const listener of listeners) listener(event);
};

function onEvent({ event, data }: StreamEvent) {
  if (typeof data !== "object" || data === null) return;
  if (event === "session" || event === "message" || event === "receipt")
    tell({ ...data, event } as LiveEvent);
}

function start() {
  if (running || listeners.size === 0 || loggedOut.get() || document.hidden) return;
  const control = new AbortController();
  running = control;
  void follow(
    {
      url: apiUrl("/events"),
      onEvent,
      onOpen: (again) => {
        if (again || missed) tell({ event: "again" });
        missed = false;
      },
      onLost: (problem) => {
        if (problem?.status === 0) connection.set("unreachable");
      },
      onAnswer: noticeAnswer,
    },
    control.signal,
  ).finally(() => {
    // Also when it was refused, as after the cookie's end: logging in starts it again.
    if (running !== control) return;
    running = undefined;
    missed = true;
  });
}

function stop() {
  if (!running) return;
  running.abort();
  running = undefined;
  missed = true;
}

function visibility() {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(stop, HIDDEN_MS);
  else start();
}

loggedOut.subscribe(() => (loggedOut.get() ? stop() : start()));

function subscribe(listener: Listener): () => void {
  if (listeners.size === 0) document.addEventListener("visibilitychange", visibility);
  listeners.add(listener);
  start();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    document.removeEventListener("visibilitychange", visibility);
    clearTimeout(hiding);
    stop();
    missed = false;
  };
}

/** Hears what happens to the caller's sessions, as it happens; all of a tab's listeners share one connection. */
export function useLive(listener: Listener): void {
  const onLive = useEffectEvent(listener);
  useEffect(() => subscribe((event) => onLive(event)), []);
}

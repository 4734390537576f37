import { EventSourceParserStream } from "eventsource-parser/stream";
import { DASHBOARD_HEADERS } from "./connection";
import { asProblem, type Problem, problemOf } from "./problem";

export interface StreamEvent {
  event: string;
  data: unknown;
}

/** What became of one connection. */
type Ended = "lost" | { refused: Problem };

export interface StreamOptions {
  url: string;
  onEvent: (event: StreamEvent) => void;
  /** It is open; `again` when it was before, so that something may have been missed. */
  onOpen?: (again: boolean) => void;
  /** It is not open now, and is tried again. */
  onLost?: (problem?: Problem) => void;
  /** The gateway refused for good: it is not tried again. */
  onRefused?: (problem: Problem) => void;
  /** Whether this event is the last one. */
  isLast?: (event: StreamEvent) => boolean;
  onAnswer?: (response: Response) => void;
  fetch?: typeof fetch;
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** The gateway says every 15 seconds that it is still there. */
const SILENCE_MS = 40_000;

/**
 * Follows a stream of events until `signal` is aborted: goes on behind the last event after a loss of connection, with
 * growing pauses. Not `EventSource`, which tells neither why it was refused nor that a connection has died silently.
 */
export async function follow(options: StreamOptions, signal: AbortSignal): Promise<void> {
  const wait = options.wait ?? pause;
  const position: { last?: string } = {};
  let failures = 0;
  let opened = false;
  while (!signal.aborted) {
    const ended = await connect(options, position, signal, () => {
      options.onOpen?.(opened);
      opened = true;
      failures = 0;
    }).catch((error): Ended => (signal.aborted ? "lost" : { refused: asProblem(error) }));
    if (ended === undefined || signal.aborted) return;
    const problem = ended === "lost" ? undefined : ended.refused;
    if (problem?.code === "invalid_last_event_id" && position.last) {
      position.last = undefined;
    } else if (problem && !problem.passing) {
      options.onRefused?.(problem);
      return;
    }
    options.onLost?.(problem);
    await wait(pauseAfter(failures, problem?.retryAfterSeconds), signal);
    failures += 1;
  }
}

/** One second, two, four …; or what the gateway asks for. Some chance in it, so that not everybody comes at once. */
export function pauseAfter(failures: number, retryAfterSeconds?: number, chance = Math.random()): number {
  const growing = Math.min(SHORTEST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
  return Math.max(growing, (retryAfterSeconds ?? 0) * 1000) * (0.8 + 0.4 * chance);
}

async function connect(
  options: StreamOptions,
  position: { last?: string },
  signal: AbortSignal,
  onOpen: () => void,
): Promise<Ended | undefined> {
  const connection = new AbortController();
  const watchdog = new Watchdog(() => connection.abort());
  const both = AbortSignal.any([signal, connection.signal]);
  try {
    const headers: Record<string, string> = { ...DASHBOARD_HEADERS, Accept: "text/event-stream" };
    if (position.last) headers["Last-Event-ID"] = position.last;
    const response = await (options.fetch ?? fetch)(options.url, {
      headers,
      signal: both,
      cache: "no-store",
    });
    options.onAnswer?.(response);
    if (!response.ok || !response.body) {
      return { refused: problemOf(response, await response.json().catch(() => null)) };
    }
    onOpen();
    const events = response.body
      .pipeThrough(watchdog.passage())
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream())
      .getReader();
    for (;;) {
      const { done, value } = await events.read();
      if (done) return "lost";
      if (value.id) position.last = value.id;
      const event = { event: value.event ?? "message", data: parsed(value.data) };
      options.onEvent(event);
      if (options.isLast?.(event)) return undefined;
    }
  } catch (error) {
    // It was silent for too long: that is a loss like any other.
    if (connection.signal.aborted && !signal.aborted) return "lost";
    throw error;
  } finally {
    watchdog.stop();
    connection.abort();
  }
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** Barks when nothing has come through for too long. */
class Watchdog {
  #timer: ReturnType<typeof setTimeout>;

  constructor(private readonly bark: () => void) {
    this.#timer = setTimeout(bark, SILENCE_MS);
  }

  passage(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
    return new TransformStream({
      transform: (chunk, controller) => {
        this.stop();
        this.#timer = setTimeout(this.bark, SILENCE_MS);
        controller.enqueue(chunk);
      },
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

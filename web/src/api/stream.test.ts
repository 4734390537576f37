import { expect, it } from "vitest";
import { follow, pauseAfter, type StreamEvent, type StreamOptions } from "./stream";

const json = (status: number, code: string) =>
  new Response(JSON.stringify({ code, message: code }), {
    status,
    headers: { "content-type": "application/json", "retry-after": "7" },
  });

/** Plays one answer after the other, and tells what happened. */
async function played(answers: (Response | Error)[], isLast?: StreamOptions["isLast"]) {
  const told: string[] = [];
  const asked: (string | undefined)[] = [];
  const stop = new AbortController();
  await follow(
    {
      url: "/events",
      fetch: async (_, init) => {
        asked.push(new Headers(init?.headers).get("last-event-id") ?? undefined);
        const answer = answers.shift();
        if (!answer) {
          stop.abort();
          throw new DOMException("", "AbortError");
        }
        if (answer instanceof Error) throw answer;
        return answer;
      },
      wait: async () => {},
      onEvent: ({ event, data }: StreamEvent) => told.push(`${event} ${JSON.stringify(data)}`),
      onOpen: (again) => told.push(again ? "open again" : "open"),
      onLost: (problem) => told.push(`lost ${problem?.code ?? ""}`.trim()),
      onRefused: (problem) => told.push(`refused ${problem.code}`),
      isLast,
    },
    stop.signal,
  );
  return { told, asked };
}

it("goes on behind the last event", async () => {
  const { told, asked } = await played([
    new Response('event: session\nid: evt_1\ndata: {"session":"shop"}\n\n: still here\n\n'),
    new TypeError("the network is away"),
    json(503, "too_many_streams"),
    new Response("id: evt_2\ndata: hello\n\n"),
  ]);
  expect(told).toEqual([
    "open",
    'session {"session":"shop"}',
    "lost",
    "lost unreachable",
    "lost too_many_streams",
    "open again",
    'message "hello"',
    "lost",
  ]);
  expect(asked).toEqual([undefined, "evt_1", "evt_1", "evt_1", "evt_2"]);
});

it("begins anew when its place is no longer known", async () => {
  const { asked } = await played([
    new Response("id: evt_1\ndata: 1\n\n"),
    json(400, "invalid_last_event_id"),
    new Response(""),
  ]);
  expect(asked).toEqual([undefined, "evt_1", undefined, undefined]);
});

it("stops when it is refused", async () => {
  const { told } = await played([json(404, "session_not_found"), new Response("")]);
  expect(told).toEqual(["refused session_not_found"]);
});

it("stops behind the last event", async () => {
  const { told } = await played(
    [new Response("event: linked\ndata: {}\n\nevent: more\ndata: {}\n\n"), new Response("")],
    ({ event }) => event === "linked",
  );
  expect(told).toEqual(["open", "linked {}"]);
});

it("waits longer each time, and as long as it is told to", () => {
  expect([0, 1, 2, 9].map((failures) => pauseAfter(failures, undefined, 0.5))).toEqual([
    1000, 2000, 4000, 30000,
  ]);
  expect(pauseAfter(0, 10, 0.5)).toBe(10_000);
  expect(pauseAfter(1, undefined, 0)).toBe(1600);
});

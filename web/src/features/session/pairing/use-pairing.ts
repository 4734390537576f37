import { useEffect, useState } from "react";
import { noticeAnswer } from "../../../api/connection";
import { follow } from "../../../api/stream";
import { apiUrl } from "../../../base";
import { isLast, type Pairing, told, WAITING } from "./pairing";

/** Follows the linking of a number at `path` (`…/qr/events`); `attempt` counts how often it was begun. */
export function usePairing(
  path: string,
  attempt: number,
  options: { withoutAccount?: boolean } = {},
): Pairing {
  const [pairing, setPairing] = useState<Pairing>(WAITING);
  const withoutAccount = options.withoutAccount ?? false;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt begins anew
  useEffect(() => {
    const stop = new AbortController();
    let skew = 0;
    setPairing(WAITING);
    void follow(
      {
        url: apiUrl(path),
        onAnswer: (response) => {
          if (!withoutAccount) noticeAnswer(response);
          const date = Date.parse(response.headers.get("date") ?? "");
          // The header is whole seconds: a small difference is none.
          if (Math.abs(date - Date.now()) > 2_000) skew = date - Date.now();
        },
        onEvent: (event) => setPairing((before) => told(before, event, skew)),
        onLost: (lost) =>
          setPairing((before) =>
            lost && (before.phase === "waiting" || before.phase === "code") ? { ...before, lost } : before,
          ),
        onRefused: (problem) => setPairing({ phase: "refused", problem }),
        isLast,
      },
      stop.signal,
    );
    return () => stop.abort();
  }, [path, attempt, withoutAccount]);
  return pairing;
}

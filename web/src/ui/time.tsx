import { useSyncExternalStore } from "react";
import { t } from "../texts";
import { ago, moment } from "./format";

// One clock for every time on a page, which stands still while nobody looks.
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function tick() {
  if (document.hidden) return;
  now = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(tick, 20_000);
  document.addEventListener("visibilitychange", listener);
  return () => {
    listeners.delete(listener);
    document.removeEventListener("visibilitychange", listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time by a clock that ticks every 20 seconds. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => now);

/** "5 minutes ago", with the exact moment in the viewer's zone behind it. */
export function Ago(props: { at?: string | null; otherwise?: string }) {
  const now = useNow();
  if (!props.at) return <>{props.otherwise ?? t.common.never}</>;
  return (
    <time dateTime={props.at} title={moment(props.at)}>
      {ago(props.at, now)}
    </time>
  );
}

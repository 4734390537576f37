import { t } from "../texts";
import { Badge, type Tone } from "./page";

const TONES: Record<string, Tone> = {
  connected: "good",
  connecting: "busy",
  reconnecting: "busy",
  pairing: "busy",
  stopped: "off",
};

/** How a state looks: one that a later version of the gateway adds looks like one that needs somebody. */
export const toneOf = (state: string): Tone => TONES[state] ?? "bad";

export const wordOf = (state: string): string =>
  (t.states.words as Record<string, string>)[state] ?? state.replaceAll("_", " ");

/**
 * What to do, in one sentence; nothing when nobody is needed. In words of ours, which are short and in the viewer's
 * language; in the gateway's for what a later version of it adds.
 */
export function adviceOf(session: {
  state: string;
  needs_person: boolean;
  advice?: string | null;
}): string | undefined {
  if (!session.needs_person) return undefined;
  return (
    (t.states.advice as Record<string, string>)[session.state] || session.advice || t.states.adviceOtherwise
  );
}

export function StateBadge(props: { state: string }) {
  return <Badge tone={toneOf(props.state)}>{wordOf(props.state)}</Badge>;
}

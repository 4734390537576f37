import type { ReactNode } from "react";
import classes from "./facts.module.css";

/** Names and what they are, side by side as far as there is room. */
export function Facts(props: {
  facts: (readonly [name: string, value: ReactNode] | null | false | "" | undefined)[];
}) {
  return (
    <dl className={classes.facts}>
      {props.facts.map(
        (fact) =>
          fact && (
            <div key={fact[0]}>
              <dt>{fact[0]}</dt>
              <dd>{fact[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

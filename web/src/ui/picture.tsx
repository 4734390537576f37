import { useState } from "react";
import { apiUrl } from "../base";
import classes from "./picture.module.css";

/** Somebody's picture, or their initial on a colour that stays the same. Says nothing that the name beside it does not. */
export function Picture(props: { path?: string | null; name: string; size?: number }) {
  const [failed, setFailed] = useState<string>();
  const size = props.size ?? 40;
  if (props.path && failed !== props.path) {
    const onError = () => setFailed(props.path ?? undefined);
    return (
      <img
        className={classes.picture}
        src={apiUrl(props.path)}
        alt=""
        width={size}
        height={size}
        loading="lazy"
        decoding="async"
        onError={onError}
      />
    );
  }
  return (
    <span
      className={classes.initial}
      aria-hidden
      style={{ width: size, height: size, fontSize: size * 0.42, "--hue": hue(props.name) }}
    >
      {[...props.name][0]?.toUpperCase()}
    </span>
  );
}

function hue(name: string): number {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 360;
  return sum;
}

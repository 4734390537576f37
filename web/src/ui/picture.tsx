import { useState } from "react";
import { apiUrl } from "../base";
import classes from "./picture.module.css";

/**
 * Somebody's picture, over their initial on a colour that stays the same: that is what is seen until it comes, or when
 * there is none. Says nothing that the name beside it does not.
 */
export function Picture(props: { path?: string | null; name: string; size?: number }) {
  const [loaded, setLoaded] = useState<string>();
  const { path, name, size = 40 } = props;
  return (
    <span
      className={classes.initial}
      aria-hidden
      style={{ width: size, height: size, fontSize: size * 0.42, "--hue": hue(name) }}
    >
      {[...name][0]?.toUpperCase()}
      {path && (
        <img
          className={classes.picture}
          src={apiUrl(path)}
          alt=""
          loading="lazy"
          decoding="async"
          data-loaded={loaded === path || undefined}
          onLoad={() => setLoaded(path)}
        />
      )}
    </span>
  );
}

function hue(name: string): number {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 360;
  return sum;
}

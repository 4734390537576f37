import { useIsFetching, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { connection } from "../api/connection";
import { useStore } from "../api/store";
import { t } from "../texts";
import classes from "./shell.module.css";

const LOOK_AGAIN_MS = 4_000;

/** Says that the gateway is away or slow, over the page, which stays; asks until it is back. */
export function ConnectionNotice() {
  const now = useStore(connection);
  const queries = useQueryClient();
  const asking = useIsFetching() > 0;
  useEffect(() => {
    if (now !== "unreachable" || asking) return;
    const timer = setTimeout(() => void queries.refetchQueries({ type: "active" }), LOOK_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [now, asking, queries]);
  return (
    <div role="status" aria-live="polite">
      {now !== "ok" && (
        <div className={classes.notice} data-connection={now}>
          {t.common.connection[now]}
        </div>
      )}
    </div>
  );
}

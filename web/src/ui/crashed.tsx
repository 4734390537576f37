import { Button } from "@mantine/core";
import { useEffect } from "react";
import { apiUrl } from "../base";
import { t } from "../texts";
import { EmptyState } from "./page";

const LOOK_AGAIN_MS = 3_000;

/** How browsers say that a part of the dashboard could not be fetched. */
const NOT_LOADED = /dynamically imported module|Importing a module script failed|Unable to preload/;

/** In place of a page that failed; one that only could not be loaded comes by itself when the gateway is back. */
export function Crashed({ error }: { error: unknown }) {
  const notLoaded = error instanceof Error && NOT_LOADED.test(error.message);
  useEffect(() => {
    if (!notLoaded) return;
    const timer = setInterval(async () => {
      const back = await fetch(apiUrl("/health"), { cache: "no-store" }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (back) window.location.reload();
    }, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [notLoaded]);
  if (notLoaded) return <EmptyState page {...t.common.notLoaded} />;
  const { title, text, action } = t.common.crashed;
  return (
    <EmptyState
      page
      title={title}
      text={text}
      action={<Button onClick={() => window.location.reload()}>{action}</Button>}
    />
  );
}

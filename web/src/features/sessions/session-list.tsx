import { useMediaQuery } from "@mantine/hooks";
import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ListedSession } from "../../api/types";
import { t } from "../../texts";
import { useLoggedIn } from "../login/me";
import classes from "./session-list.module.css";
import { SessionRow } from "./session-row";

/** Every row is as high as the others, whatever it says: nothing moves when a row changes. */
const ROW = { wide: 76, narrow: 118 };

/** How near to the end the next page is asked for. */
const AHEAD = 60;

type Query = Pick<UseInfiniteQueryResult, "hasNextPage" | "isFetchingNextPage" | "fetchNextPage" | "isError">;

/** Draws only the rows that can be seen: a thousand are as smooth as ten. */
export function SessionList(props: { rows: ListedSession[]; query: Query }) {
  const { rows, query } = props;
  const { username } = useLoggedIn();
  const narrow = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const list = useRef<HTMLUListElement>(null);
  const [scrollMargin, setScrollMargin] = useState(0);
  const height = narrow ? ROW.narrow : ROW.wide;
  useLayoutEffect(() => setScrollMargin(list.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => height,
    overscan: 8,
    scrollMargin,
    getItemKey: (index) => rows[index]?.name ?? index,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was measured for the other height is wrong
  useEffect(() => virtual.measure(), [virtual, height]);

  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !isError && last >= rows.length - AHEAD) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isError, fetchNextPage, last, rows.length]);

  return (
    <ul
      ref={list}
      className={classes.list}
      aria-label={t.sessions.list}
      aria-busy={isFetchingNextPage}
      style={{ height: virtual.getTotalSize() }}
    >
      {items.map(({ index, key, start }) => {
        const row = rows[index];
        return (
          row && (
            <li
              key={key}
              className={classes.item}
              aria-setsize={hasNextPage ? -1 : rows.length}
              aria-posinset={index + 1}
              style={{ height, transform: `translateY(${start - scrollMargin}px)` }}
            >
              <SessionRow session={row} owner={ownerOf(row, username)} />
            </li>
          )
        );
      })}
    </ul>
  );
}

function ownerOf(row: ListedSession, username: string): string | undefined {
  const { user } = row;
  return user && user !== username && !row.name.startsWith(user) ? user : undefined;
}

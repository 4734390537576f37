import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import classes from "./virtual-rows.module.css";

/** A long list in the page's own scroll: only what is near the screen is drawn, and rows of one height never jump. */
export function VirtualRows<T>(props: {
  label: string;
  rows: T[];
  /** Of each row, in pixels. */
  height: number;
  keyOf: (row: T) => string;
  children: (row: T) => ReactNode;
  /** Called when the last row comes near. */
  onEnd?: () => void;
}) {
  const { rows, height, keyOf, onEnd } = props;
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setTop((list.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => height,
    overscan: 8,
    scrollMargin: top,
    getItemKey: (index) => keyOf(rows[index] as T),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height makes every position another one
  useEffect(() => virtual.measure(), [height]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  const nearEnd = rows.length > 0 && last >= rows.length - 8;
  useEffect(() => {
    if (nearEnd) onEnd?.();
  }, [nearEnd, onEnd]);
  return (
    <ul
      className={classes.list}
      ref={list}
      aria-label={props.label}
      style={{ height: virtual.getTotalSize() }}
    >
      {items.map((item) => (
        <li
          key={item.key}
          className={classes.row}
          aria-setsize={rows.length}
          aria-posinset={item.index + 1}
          style={{ height, transform: `translateY(${item.start - top}px)` }}
        >
          {props.children(rows[item.index] as T)}
        </li>
      ))}
    </ul>
  );
}

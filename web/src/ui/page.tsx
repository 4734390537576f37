import { Text, Title } from "@mantine/core";
import { type ReactNode, useEffect, useRef } from "react";
import { t } from "../texts";
import classes from "./page.module.css";

let firstPage = true;

/** The heading of a page; names the browser's tab, and takes the focus so that a screen reader says where one is. */
export function PageHeader(props: { title: string; about?: ReactNode; aside?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${props.title} · ${t.common.product}`;
  }, [props.title]);
  useEffect(() => {
    if (firstPage) firstPage = false;
    else heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div className={classes.header}>
      <div className={classes.words}>
        <Title order={1} size="h2" ref={heading} tabIndex={-1}>
          {props.title}
        </Title>
        {props.about && (
          <Text c="dimmed" component="div">
            {props.about}
          </Text>
        )}
      </div>
      {props.aside}
    </div>
  );
}

/** A surface that groups what belongs together. */
export function Card(props: { children: ReactNode; title?: string; aside?: ReactNode; className?: string }) {
  return (
    <section className={`${classes.card} ${props.className ?? ""}`} aria-label={props.title}>
      {props.title && (
        <div className={classes.header}>
          <Title order={2} size="h4" className={classes.words}>
            {props.title}
          </Title>
          {props.aside}
        </div>
      )}
      {props.children}
    </section>
  );
}

/** What stands where nothing is yet: says what this place is for, and offers the next step. */
export function EmptyState(props: {
  icon?: ReactNode;
  title: string;
  text: ReactNode;
  action?: ReactNode;
  /** It is the whole page: its title is the page's heading. */
  page?: boolean;
}) {
  return (
    <div className={classes.empty}>
      {props.icon}
      <Title order={props.page ? 1 : 2} size="h4" mb="xs">
        {props.title}
      </Title>
      <Text c="dimmed" mb={props.action ? "lg" : 0} component="div">
        {props.text}
      </Text>
      {props.action}
    </div>
  );
}

export type Tone = "good" | "busy" | "bad" | "off";

/** A word with a colour; never the colour alone. */
export function Badge(props: { tone: Tone; children: ReactNode }) {
  return (
    <span className={classes.badge} data-tone={props.tone}>
      {props.children}
    </span>
  );
}

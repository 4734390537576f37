import { createLink, type LinkComponent, type LinkProps } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, ReactNode } from "react";
import classes from "./tab-links.module.css";

const Tab = (props: AnchorHTMLAttributes<HTMLAnchorElement>) => <a {...props} className={classes.tab} />;

/** A part of a place. */
export const TabLink: LinkComponent<typeof Tab> = createLink(Tab);

/** Around the parts of a place. */
export function TabBar(props: { label: string; children: ReactNode }) {
  return (
    <nav className={classes.tabs} aria-label={props.label}>
      {props.children}
    </nav>
  );
}

/** The parts of a place, each with an address of its own. */
export function TabLinks(props: {
  label: string;
  tabs: { to: LinkProps["to"]; text: string; exact?: boolean }[];
}) {
  return (
    <TabBar label={props.label}>
      {props.tabs.map(({ to, text, exact }) => (
        <TabLink key={to} to={to} activeOptions={{ exact: exact ?? false, includeSearch: false }}>
          {text}
        </TabLink>
      ))}
    </TabBar>
  );
}

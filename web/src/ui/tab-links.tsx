import { Link, type LinkProps } from "@tanstack/react-router";
import classes from "./tab-links.module.css";

/** The parts of a place, each with an address of its own. */
export function TabLinks(props: {
  label: string;
  tabs: { to: LinkProps["to"]; text: string; exact?: boolean }[];
}) {
  return (
    <nav className={classes.tabs} aria-label={props.label}>
      {props.tabs.map(({ to, text, exact }) => (
        <Link
          key={to}
          to={to}
          className={classes.tab}
          activeOptions={{ exact: exact ?? false, includeSearch: false }}
        >
          {text}
        </Link>
      ))}
    </nav>
  );
}

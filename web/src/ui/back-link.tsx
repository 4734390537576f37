import { Link, type LinkProps } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import classes from "./back-link.module.css";

/** The way up, above a page's heading. */
export function BackLink(props: { to: LinkProps["to"]; children: string }) {
  return (
    <Link to={props.to} className={classes.back}>
      <ArrowLeft size={16} aria-hidden />
      {props.children}
    </Link>
  );
}

import { Anchor, type AnchorProps, Button, type ButtonProps } from "@mantine/core";
import { createLink, type LinkComponent } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, Ref } from "react";

// Mantine's looks on the router's links: `to` and `params` stay checked by the compiler.
type Native<Own> = Own &
  Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof Own> & { ref?: Ref<HTMLAnchorElement> };

const PlainButton = (props: Native<ButtonProps>) => <Button component="a" {...props} />;
const PlainAnchor = (props: Native<AnchorProps>) => <Anchor {...props} />;

/** A link that looks like a button. */
export const LinkButton: LinkComponent<typeof PlainButton> = createLink(PlainButton);

/** A link within a text. */
export const TextLink: LinkComponent<typeof PlainAnchor> = createLink(PlainAnchor);

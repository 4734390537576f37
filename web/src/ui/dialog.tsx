import { Modal, type ModalProps } from "@mantine/core";
import { useEffect, useRef } from "react";

/** A dialog that is there for as long as it is drawn. The focus goes back to where it came from. */
export function Dialog(props: Omit<ModalProps, "opened">) {
  const from = useRef(opener());
  useEffect(() => () => from.current?.focus({ preventScroll: true }), []);
  return <Modal opened {...props} />;
}

/** What has the focus; behind an item of a menu, which closes, what opened the menu. */
function opener(): HTMLElement | null {
  const at = document.activeElement;
  const menu = at?.closest("[role=menu]")?.getAttribute("aria-labelledby");
  const found = menu ? document.getElementById(menu) : at;
  return found instanceof HTMLElement ? found : null;
}

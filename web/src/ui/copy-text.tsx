import { Button, CopyButton } from "@mantine/core";
import { Check, Copy } from "lucide-react";
import { t } from "../texts";

/**
 * Copies a text that is shown beside it. Browsers let only pages they call secure do that: on plain HTTP there is no
 * button, and the text is there to be selected.
 */
export function CopyText(props: { text: string }) {
  if (!window.isSecureContext) return null;
  return (
    <CopyButton value={props.text}>
      {({ copied, copy }) => (
        <Button
          variant="default"
          onClick={copy}
          leftSection={copied ? <Check size={16} aria-hidden /> : <Copy size={16} aria-hidden />}
        >
          {copied ? t.common.copied : t.common.copy}
        </Button>
      )}
    </CopyButton>
  );
}

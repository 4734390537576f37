import { Button, CopyButton, Group, Modal, Stack, Text } from "@mantine/core";
import { Check, Copy } from "lucide-react";
import { t } from "../texts";
import classes from "./shown-once.module.css";

/** A secret that nobody can show again; closed only on purpose. */
export function ShownOnce(props: {
  secret: string | null;
  title: string;
  text: string;
  onClose: () => void;
}) {
  return (
    <Modal
      opened={props.secret !== null}
      onClose={props.onClose}
      title={props.title}
      centered
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": t.common.close }}
    >
      <Stack>
        <Text>{props.text}</Text>
        <code className={classes.secret}>{props.secret}</code>
        <Group justify="end">
          <CopyButton value={props.secret ?? ""}>
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
          <Button onClick={props.onClose}>{t.common.close}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

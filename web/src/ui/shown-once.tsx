import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { t } from "../texts";
import { CopyText } from "./copy-text";
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
      closeOnClickOutside={false}
    >
      <Stack>
        <Text>{props.text}</Text>
        <code className={classes.secret}>{props.secret}</code>
        <Group justify="end">
          <CopyText text={props.secret ?? ""} />
          <Button onClick={props.onClose}>{t.common.close}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

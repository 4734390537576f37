import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { t } from "../texts";
import { ProblemAlert } from "./loaded";

/** Asks before something that cannot be taken back; stays open, and says why, when it did not work. */
export function Confirm(props: {
  opened: boolean;
  onClose: () => void;
  title: string;
  text: ReactNode;
  /** What the button says: the deed itself, never "OK". */
  action: string;
  danger?: boolean;
  onConfirm: () => Promise<unknown>;
}) {
  const act = useMutation({ mutationFn: props.onConfirm, onSuccess: close });
  function close() {
    act.reset();
    props.onClose();
  }
  return (
    <Modal opened={props.opened} onClose={close} title={props.title}>
      <Stack>
        <Text component="div">{props.text}</Text>
        <ProblemAlert error={act.error} />
        <Group justify="end">
          <Button variant="default" onClick={close}>
            {t.common.cancel}
          </Button>
          <Button
            color={props.danger ? "red.8" : undefined}
            loading={act.isPending}
            onClick={() => act.mutate()}
          >
            {props.action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

import { Alert, Button, Group, Modal, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../../../api/client";
import { apiUrl } from "../../../base";
import { t } from "../../../texts";
import { CopyText } from "../../../ui/copy-text";
import { moment } from "../../../ui/format";
import { ProblemAlert } from "../../../ui/loaded";

/** Makes a link with which somebody without an account can link this one session. */
export function ShareDialog(props: { opened: boolean; onClose: () => void; name: string }) {
  const [minutes, setMinutes] = useState("30");
  const path = { name: props.name };
  const share = useMutation({
    mutationFn: async (expires_in_minutes: number) =>
      (await ask(api.POST("/session/{name}/share", { params: { path }, body: { expires_in_minutes } }))).data,
  });
  const revoke = useMutation({
    mutationFn: () => ask(api.DELETE("/session/{name}/share", { params: { path } })),
    onSuccess: () => share.reset(),
  });
  const close = () => {
    share.reset();
    revoke.reset();
    props.onClose();
  };
  // Without a public address of its own the gateway tells only a path, without the prefix it is reached under.
  const url =
    share.data && (/^https?:/.test(share.data.url) ? share.data.url : apiUrl(`/link/${share.data.token}`));
  const texts = t.session.share;
  return (
    <Modal opened={props.opened} onClose={close} title={texts.title}>
      <Stack>
        <Text>{texts.text}</Text>
        <ProblemAlert error={share.error ?? revoke.error} />
        {revoke.isSuccess && (
          <Alert color="green" role="status">
            {texts.revoked}
          </Alert>
        )}
        {share.data && url ? (
          <>
            <Group align="end" gap="xs" wrap="nowrap">
              <TextInput
                label={texts.link}
                value={url}
                readOnly
                flex={1}
                onFocus={({ currentTarget }) => currentTarget.select()}
              />
              <CopyText text={url} />
            </Group>
            <Text c="dimmed" size="sm">
              {texts.expires} {moment(share.data.expires_at)}
            </Text>
          </>
        ) : (
          <Group align="end">
            <NativeSelect
              label={texts.minutes}
              value={minutes}
              onChange={({ currentTarget }) => setMinutes(currentTarget.value)}
              data={Object.entries(texts.choices).map(([value, label]) => ({ value, label }))}
              flex={1}
            />
            <Button
              loading={share.isPending}
              onClick={() => {
                revoke.reset();
                share.mutate(Number(minutes));
              }}
            >
              {texts.create}
            </Button>
          </Group>
        )}
        <Button
          variant="subtle"
          color="red"
          size="compact-sm"
          loading={revoke.isPending}
          onClick={() => revoke.mutate()}
        >
          {texts.revoke}
        </Button>
      </Stack>
    </Modal>
  );
}

import { Anchor, Modal, Stack, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { loggedOut } from "../../api/connection";
import { useStore } from "../../api/store";
import { t } from "../../texts";
import { LoginForm } from "./login-form";
import { useLoggedIn } from "./me";

/** Lies over the page when the cookie has expired. The page stays as it is: nothing that was typed is lost. */
export function LogInAgain() {
  const opened = useStore(loggedOut);
  const { username } = useLoggedIn();
  const queries = useQueryClient();
  const goOn = () => {
    loggedOut.set(false);
    void queries.invalidateQueries();
  };
  return (
    <Modal
      opened={opened}
      onClose={() => {}}
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
      centered
      zIndex={1000}
      attributes={{ content: { "aria-label": t.login.again.title } }}
      overlayProps={{ blur: 2 }}
    >
      <Stack>
        <Title order={2} size="h3">
          {t.login.again.title}
        </Title>
        <Text>{t.login.again.text}</Text>
        <LoginForm username={username} onLoggedIn={goOn} />
        <Anchor size="sm" component="button" type="button" onClick={() => window.location.reload()}>
          {t.login.again.other}
        </Anchor>
      </Stack>
    </Modal>
  );
}

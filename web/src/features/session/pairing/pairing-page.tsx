import { Button, SimpleGrid, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Share2 } from "lucide-react";
import { useEffect, useState } from "react";
import { api, ask } from "../../../api/client";
import { asProblem } from "../../../api/problem";
import { t } from "../../../texts";
import { LinkButton } from "../../../ui/links";
import { Card } from "../../../ui/page";
import { startSession } from "../../sessions/create-session";
import { ShareDialog } from "../actions/share-dialog";
import { sessionRoute } from "../routes";
import { sessionQuery } from "../session-query";
import { PairCode } from "./pair-code";
import { QrPanel } from "./qr-panel";
import { usePairing } from "./use-pairing";

/** Links a number: its QR code, which renews itself and turns into "linked" by itself, or a code to type. */
export function PairingPage() {
  const { name } = sessionRoute.useParams();
  const [attempt, setAttempt] = useState(0);
  const pairing = usePairing(`/session/${encodeURIComponent(name)}/qr/events`, attempt);
  const queries = useQueryClient();
  const [sharing, setSharing] = useState(false);
  const texts = t.session.pairing;

  const { phase } = pairing;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the heading tells the state, which has changed
  useEffect(() => void queries.invalidateQueries(sessionQuery(name)), [phase, name, queries]);

  const again = useMutation({
    mutationFn: () => startSession(name),
    onSettled: (_, error) => {
      // Without a code in time it is on its way all the same; connected meanwhile is as good.
      const problem = error && asProblem(error);
      if (!problem || problem.status === 504 || problem.code === "session_exists") setAttempt((n) => n + 1);
    },
  });
  const pairCode = async (phone: string) => {
    const path = { name };
    const answer = await ask(api.POST("/session/{name}/pair-code", { params: { path }, body: { phone } }));
    if (phase === "ended") setAttempt((n) => n + 1);
    return (answer as unknown as { data: { code: string } }).data.code;
  };

  return (
    <Stack gap="lg">
      <Card>
        <QrPanel
          pairing={pairing}
          onward={
            <>
              <LinkButton to="/app/sessions/$name/send" params={{ name }}>
                {texts.sendFirst}
              </LinkButton>
              <LinkButton variant="default" to="/app/sessions/$name" params={{ name }}>
                {texts.goOn}
              </LinkButton>
            </>
          }
          again={{
            text: texts.endedText,
            action: texts.again,
            onClick: () => again.mutate(),
            error: again.error,
            loading: again.isPending,
          }}
        />
      </Card>
      {(phase === "code" || phase === "ended") && (
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
          <Card title={texts.withCode.title}>
            <PairCode ask={pairCode} />
          </Card>
          <Card title={texts.share.title}>
            <Text c="dimmed" mb="md">
              {texts.share.text}
            </Text>
            <Button
              variant="default"
              leftSection={<Share2 size={16} aria-hidden />}
              onClick={() => setSharing(true)}
            >
              {texts.share.action}
            </Button>
          </Card>
        </SimpleGrid>
      )}
      <ShareDialog opened={sharing} onClose={() => setSharing(false)} name={name} />
    </Stack>
  );
}

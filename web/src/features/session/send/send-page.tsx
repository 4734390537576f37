import { Button, CloseButton, Group, Progress as ProgressBar, Stack, Text, TextInput } from "@mantine/core";
import "@mantine/core/styles/Progress.css";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Send } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import { t } from "../../../texts";
import { bytes } from "../../../ui/format";
import { ProblemAlert } from "../../../ui/loaded";
import { Card } from "../../../ui/page";
import { sendRoute, sessionRoute } from "../routes";
import { sessionKey } from "../session-query";
import { type Built, built, type Errors, isBuilt, NOTHING_TYPED, type Typed } from "./build-message";
import { KindChoice } from "./kind-choice";
import { KindFields } from "./kind-fields";
import { isFileKind, type Kind } from "./kinds";
import { MessageProgress } from "./message-progress";
import classes from "./send-page.module.css";
import { idempotencyKey, type Progress, send } from "./upload";

/** Sends a message of any kind. */
export function SendPage() {
  const { name } = sessionRoute.useParams();
  const beginning = sendRoute.useSearch();
  const [kind, setKind] = useState<Kind>(beginning.kind ?? "text");
  const [typed, setTyped] = useState<Typed>({
    ...NOTHING_TYPED,
    to: beginning.to ?? "",
    quoted: beginning.quoted ?? "",
    messageId: beginning.message ?? "",
  });
  const [errors, setErrors] = useState<Errors>({});
  const form = useRef<HTMLFormElement>(null);
  const sending = useSending(name);
  const texts = t.session.form;

  const put = (change: Partial<Typed>) => {
    setTyped((before) => ({ ...before, ...change }));
    setErrors((before) => {
      const left = { ...before };
      for (const field of Object.keys(change)) delete left[field as keyof Typed];
      return left;
    });
    sending.changed();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const result = built(name, kind, typed);
    setErrors(isBuilt(result) ? {} : result);
    if (isBuilt(result)) sending.mutation.mutate(result);
    else
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  };
  const { mutation, progress } = sending;

  return (
    <Card title={texts.title}>
      {mutation.data ? (
        <MessageProgress
          id={mutation.data.id}
          onAnother={() => {
            sending.reset();
            setTyped((before) => ({ ...NOTHING_TYPED, to: before.to }));
          }}
        />
      ) : (
        <form ref={form} onSubmit={submit} noValidate className={classes.form}>
          <KindChoice
            kind={kind}
            onChange={(next) => {
              setKind(next);
              setErrors({});
              sending.changed();
            }}
          />
          <Stack>
            <TextInput
              label={texts.to}
              description={texts.toAbout}
              placeholder={texts.toPlaceholder}
              name="to"
              autoComplete="off"
              value={typed.to}
              error={errors.to}
              onChange={({ currentTarget }) => put({ to: currentTarget.value })}
            />
            {typed.quoted && (kind === "text" || isFileKind(kind)) && (
              <Group gap="xs" className={classes.quoted}>
                <Text size="sm">{texts.replyTo(typed.quoted)}</Text>
                <CloseButton size="sm" aria-label={texts.noReply} onClick={() => put({ quoted: "" })} />
              </Group>
            )}
            <KindFields kind={kind} typed={typed} errors={errors} put={put} />
            <ProblemAlert error={mutation.error} title={texts.failedTitle} />
            <Group>
              <Button type="submit" loading={mutation.isPending} leftSection={<Send size={16} aria-hidden />}>
                {texts.submit}
              </Button>
              {mutation.isPending && progress && (
                <Button variant="subtle" onClick={sending.abort}>
                  {texts.cancel}
                </Button>
              )}
            </Group>
            {mutation.isPending && progress && <Uploading {...progress} />}
          </Stack>
        </form>
      )}
    </Card>
  );
}

function Uploading({ loaded, total }: Progress) {
  const texts = t.session.form;
  const done = loaded >= total;
  return (
    <div>
      <ProgressBar value={(loaded / total) * 100} animated={done} aria-label={texts.file} />
      <Text size="sm" c="dimmed" mt={4}>
        {done ? texts.uploaded : texts.progress(bytes(loaded), bytes(total))}
      </Text>
    </div>
  );
}

/** One message on its way. Trying the same one again is the same message; a changed one is another. */
function useSending(name: string) {
  const [progress, setProgress] = useState<Progress>();
  const queries = useQueryClient();
  const key = useRef<string>(undefined);
  const stop = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: (request: Built) => {
      key.current ??= idempotencyKey();
      stop.current = new AbortController();
      setProgress(undefined);
      const onProgress = request.file ? setProgress : () => {};
      return send(request, key.current, onProgress, stop.current.signal);
    },
    onSuccess: () => {
      key.current = undefined;
      void queries.invalidateQueries({ queryKey: sessionKey(name) });
    },
  });
  return {
    mutation,
    progress,
    abort: () => stop.current?.abort(),
    changed: () => {
      key.current = undefined;
    },
    reset: () => mutation.reset(),
  };
}

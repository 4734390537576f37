import { Button, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { t } from "../../../texts";
import { ProblemAlert } from "../../../ui/loaded";
import classes from "./qr-panel.module.css";

/** A code that is typed on the phone, for those who cannot scan. */
export function PairCode(props: { ask: (phone: string) => Promise<string> }) {
  const [phone, setPhone] = useState("");
  const [missing, setMissing] = useState(false);
  const code = useMutation({ mutationFn: props.ask });
  const texts = t.session.pairing.withCode;
  const digits = phone.replace(/\D/g, "");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMissing(!digits);
    if (digits) code.mutate(digits);
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md" maw={420}>
        <Text c="dimmed">{texts.about}</Text>
        <ProblemAlert error={code.error} />
        <TextInput
          label={texts.phone}
          placeholder={texts.placeholder}
          type="tel"
          autoComplete="tel"
          value={phone}
          error={missing && texts.missing}
          onChange={({ currentTarget }) => setPhone(currentTarget.value)}
        />
        <div>
          <Button type="submit" variant="default" loading={code.isPending}>
            {code.data ? texts.fresh : texts.submit}
          </Button>
          <div role="status" aria-live="polite">
            {code.data && (
              <>
                <Text mt="md">{texts.code}</Text>
                <output className={classes.pairCode}>{code.data}</output>
              </>
            )}
          </div>
        </div>
      </Stack>
    </form>
  );
}
